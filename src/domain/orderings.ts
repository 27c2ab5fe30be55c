/** Which way a list goes. */
export enum OrderDirection {
  ASC = 'asc',
  DESC = 'desc',
}

/** What lists can be ordered by. CREATED_AT is the order of ids, which carry it. */
export enum AmrTaskOrderField {
  CREATED_AT = 'CREATED_AT',
  UPDATED_AT = 'UPDATED_AT',
  NAME = 'NAME',
  PRIORITY = 'PRIORITY',
}

export enum AmrTaskGroupOrderField {
  CREATED_AT = 'CREATED_AT',
  UPDATED_AT = 'UPDATED_AT',
  NAME = 'NAME',
}

export enum MeterDeviceOrderField {
  CREATED_AT = 'CREATED_AT',
  UPDATED_AT = 'UPDATED_AT',
  NAME = 'NAME',
  SERIAL_NUMBER = 'SERIAL_NUMBER',
  EXTERNAL_REFERENCE = 'EXTERNAL_REFERENCE',
}

export enum NetworkInterfaceOrderField {
  CREATED_AT = 'CREATED_AT',
  UPDATED_AT = 'UPDATED_AT',
  NAME = 'NAME',
}

export enum SegmentOrderField {
  CREATED_AT = 'CREATED_AT',
  UPDATED_AT = 'UPDATED_AT',
  NAME = 'NAME',
}

export enum SeriesOrderField {
  CREATED_AT = 'CREATED_AT',
  UPDATED_AT = 'UPDATED_AT',
  NAME = 'NAME',
}

export enum MeteringPointOrderField {
  CREATED_AT = 'CREATED_AT',
  UPDATED_AT = 'UPDATED_AT',
  NAME = 'NAME',
  CUSTOMER_REFERENCE = 'CUSTOMER_REFERENCE',
}

export enum TaskRunOrderField {
  SCHEDULED_FOR = 'SCHEDULED_FOR',
}

export enum DeadLetterOrderField {
  FIRST_SEEN_AT = 'FIRST_SEEN_AT',
  LAST_SEEN_AT = 'LAST_SEEN_AT',
}
