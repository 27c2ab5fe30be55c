import { Field, Int, ObjectType } from 'type-graphql';
import { NetworkInterfaceKind } from '../src/domain/enums.js';
import { connectionOf } from './connection.js';
import { NodeType } from './node.js';
import { DateTime } from './scalars.js';
import { SegmentType } from './segment.js';

@ObjectType('InterfaceHold', {
  description:
    'Sessions in a row that did not reach a network interface. From the fifth on scheduled ones wait, longer each time up to half an hour; then one probes. What somebody invokes is not held.',
  simpleResolvers: true,
})
export class InterfaceHoldType {
  @Field(() => Int, { description: 'Sessions in a row that did not reach it.' })
  failures!: number;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Scheduled sessions wait until then; null while the failures are too few.',
  })
  openUntil!: Date | null;

  @Field(() => String, { description: 'What the last session said.' })
  errorMessage!: string;
}

@ObjectType('NetworkInterface', {
  description: 'How meters are reached. One session at a time; one interface may serve many meters (a gateway, a bus).',
  implements: NodeType,
  simpleResolvers: true,
})
export class NetworkInterfaceType extends NodeType {
  @Field(() => String, { description: 'Unique in the organization.' })
  name!: string;

  @Field(() => NetworkInterfaceKind, { description: 'Which of the following fields apply.' })
  kind!: NetworkInterfaceKind;

  @Field(() => String, { nullable: true, description: 'Host name or address (TCP).' })
  host!: string | null;

  @Field(() => Int, { nullable: true, description: 'Port (TCP).' })
  port!: number | null;

  @Field(() => String, { nullable: true, description: 'Device file of the port (SERIAL).' })
  serialPath!: string | null;

  @Field(() => Int, { nullable: true, description: 'Line speed in baud (SERIAL).' })
  baudRate!: number | null;

  @Field(() => SegmentType, {
    nullable: true,
    description: 'Shared capacity that sessions over this interface count against.',
  })
  segment!: SegmentType | null;

  @Field(() => Boolean, { description: 'Whether a session is open on it now.' })
  isBusy!: boolean;

  @Field(() => InterfaceHoldType, {
    nullable: true,
    description: 'Its sessions that did not reach it lately; null when the last one did.',
  })
  hold!: InterfaceHoldType | null;

  @Field(() => Int, { description: 'Rises with each change: pass it as expectedVersion to change only what you read.' })
  version!: number;

  @Field(() => DateTime, { description: 'When the interface was created.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When its data were last changed.' })
  updatedAt!: Date;
}

export const NetworkInterfaceConnection = connectionOf('NetworkInterface', () => NetworkInterfaceType);

@ObjectType('NetworkInterfacePayload', { description: 'The interface as saved.', simpleResolvers: true })
export class NetworkInterfacePayload {
  @Field(() => NetworkInterfaceType, { description: 'The interface as saved.' })
  networkInterface!: NetworkInterfaceType;
}
