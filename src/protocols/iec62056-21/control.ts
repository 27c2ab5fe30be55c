/** Control characters of IEC 62056-21 (table in clause 6.3, values of ISO 646). */
/** Starts a programming command. */
export const SOH = 0x01;
/** Starts the text of a block. */
export const STX = 0x02;
/** Ends the last or only block. */
export const ETX = 0x03;
/** Ends a partial block: more follow. */
export const EOT = 0x04;
export const ACK = 0x06;
export const LF = 0x0a;
export const CR = 0x0d;
/** "Repeat", and in answer to a write "refused". */
export const NAK = 0x15;
/** Starts requests and identifications. */
export const SLASH = 0x2f;
export const QUESTION_MARK = 0x3f;
