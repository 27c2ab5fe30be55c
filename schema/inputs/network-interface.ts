import { Field, ID, InputType, Int } from 'type-graphql';
import { NetworkInterfaceKind } from '../../src/domain/enums.js';

/** What may be left out when creating as well as when updating. Not part of the schema itself. */
@InputType()
class NetworkInterfaceOptions {
  @Field(() => String, { nullable: true, description: 'Host name or address (TCP).' })
  host?: string | null;

  @Field(() => Int, { nullable: true, description: 'Port, 1 to 65535 (TCP).' })
  port?: number | null;

  @Field(() => String, { nullable: true, description: 'Device file of the port (SERIAL).' })
  serialPath?: string | null;

  @Field(() => Int, { nullable: true, description: 'Line speed in baud (SERIAL).' })
  baudRate?: number | null;

  @Field(() => ID, { nullable: true, description: 'Shared capacity that sessions over this interface count against.' })
  segment?: string | null;
}

@InputType({ description: 'An interface to create.' })
export class CreateNetworkInterfaceInput extends NetworkInterfaceOptions {
  @Field(() => String, { description: 'Unique in the organization, 1 to 150 characters.' })
  name!: string;

  @Field(() => NetworkInterfaceKind, { description: 'TCP: give host and port.' })
  kind!: NetworkInterfaceKind;
}

@InputType({ description: 'Changes to an interface; what is left out stays.' })
export class UpdateNetworkInterfaceInput extends NetworkInterfaceOptions {
  @Field(() => ID, { description: 'The interface to change.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'Unique in the organization, 1 to 150 characters.' })
  name?: string;

  @Field(() => Int, {
    nullable: true,
    description: 'The version you read: CONFLICT when the interface has changed since.',
  })
  expectedVersion?: number | null;
}
