/** Error numbers of LIS200 that these meters answer with, as `(#nnnn)`. */
const ERROR_NUMBERS = {
  unknownAddress: 1,
  objectNotAvailable: 2,
  unknownAttribute: 4,
  attributeNotAvailable: 5,
  wrongInput: 13,
  wrongAccessCode: 17,
  noReadPermission: 18,
  noWritePermission: 19,
  noSuchArchive: 100,
  noSuchPosition: 101,
  archiveEmpty: 103,
  fromNotFound: 104,
  toNotFound: 105,
  syntax: 200,
} as const;

/** Thrown while a command is carried out; the session answers with it. */
export class ErrorTelegram extends Error {
  override readonly name = 'ErrorTelegram';
  readonly text: string;
  constructor(reason: keyof typeof ERROR_NUMBERS) {
    super(reason);
    this.text = `(#${String(ERROR_NUMBERS[reason]).padStart(4, '0')})`;
  }
}
