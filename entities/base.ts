import { PrimaryKey, Property, ManyToOne, type Rel, OptionalProps } from '@mikro-orm/core';
import { v7 as uuidv7 } from 'uuid';
import { Organization } from './organization.js';

/** A row that belongs to one organization and is identified by a UUIDv7. */
export abstract class TenantEntity {
  [OptionalProps]?: 'createdAt' | 'updatedAt' | 'version';

  @PrimaryKey({ type: 'uuid' })
  id: string = uuidv7();

  @ManyToOne({ entity: () => Organization, deleteRule: 'restrict' })
  organization!: Rel<Organization>;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  createdAt: Date = new Date();

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()', onUpdate: () => new Date() })
  updatedAt: Date = new Date();

  /** Counts changes, so that nobody overwrites what they have not seen. */
  @Property({ type: 'integer', version: true, default: 1 })
  version!: number;
}
