import { Field, InputType, registerEnumType } from 'type-graphql';
import {
  AmrTaskGroupOrderField,
  AmrTaskOrderField,
  DeadLetterOrderField,
  MeterDeviceOrderField,
  MeteringPointOrderField,
  NetworkInterfaceOrderField,
  OrderDirection,
  SegmentOrderField,
  SeriesOrderField,
  TaskRunOrderField,
} from '../src/domain/orderings.js';

registerEnumType(OrderDirection, {
  name: 'OrderDirection',
  description: 'Which way a list goes.',
  valuesConfig: {
    ASC: { description: 'The least first: the oldest, A before Z. What has no value comes last.' },
    DESC: { description: 'The greatest first: the newest, Z before A. What has no value comes last.' },
  },
});

const COMMON = {
  CREATED_AT: { description: 'When it was created.' },
  UPDATED_AT: { description: 'When it was last changed: with updatedSince, to follow changes.' },
  NAME: { description: 'The name, as the collation of the database has it.' },
};

/**
 * The input type by which a list of `name` is ordered, such as `AmrTaskOrder`. Cursors carry the order: pages of one list
 * are all asked for with the same.
 */
function orderOf<E extends Record<string, string>>(
  name: string,
  fields: E,
  valuesConfig: { [Value in keyof E]: { description: string } },
) {
  registerEnumType(fields, {
    name: `${name}OrderField`,
    description: `What a list of ${name} can be ordered by.`,
    valuesConfig,
  });

  @InputType(`${name}Order`, {
    description: `How a list of ${name} is ordered, equal ones by id. The same for all pages of one list.`,
  })
  class Order {
    @Field(() => fields, { description: 'By what.' })
    field!: E[keyof E];

    @Field(() => OrderDirection, { nullable: true, description: 'Which way. Default ASC.' })
    direction?: OrderDirection | null;
  }
  return Order;
}

export const AmrTaskOrder = orderOf('AmrTask', AmrTaskOrderField, {
  ...COMMON,
  PRIORITY: { description: 'The priority of its runs.' },
});
export const AmrTaskGroupOrder = orderOf('AmrTaskGroup', AmrTaskGroupOrderField, COMMON);
export const MeterDeviceOrder = orderOf('MeterDevice', MeterDeviceOrderField, {
  ...COMMON,
  SERIAL_NUMBER: { description: 'The serial number.' },
  EXTERNAL_REFERENCE: { description: "The id in the utility's own system." },
});
export const NetworkInterfaceOrder = orderOf('NetworkInterface', NetworkInterfaceOrderField, COMMON);
export const SegmentOrder = orderOf('Segment', SegmentOrderField, COMMON);
export const SeriesOrder = orderOf('Series', SeriesOrderField, COMMON);
export const MeteringPointOrder = orderOf('MeteringPoint', MeteringPointOrderField, {
  ...COMMON,
  CUSTOMER_REFERENCE: { description: 'The reference of the customer.' },
});
export const TaskRunOrder = orderOf('TaskRun', TaskRunOrderField, {
  SCHEDULED_FOR: { description: 'The slot, or the time of the invocation.' },
});
export const DeadLetterOrder = orderOf('DeadLetter', DeadLetterOrderField, {
  FIRST_SEEN_AT: { description: 'When it failed first.' },
  LAST_SEEN_AT: { description: 'When it failed last.' },
});
