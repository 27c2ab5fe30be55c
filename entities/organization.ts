import { Entity, Enum, OptionalProps, PrimaryKey, Property } from '@mikro-orm/core';
import { v7 as uuidv7 } from 'uuid';
import { RevisionPolicy } from '../src/domain/enums.js';

/** A tenant. Every other row belongs to one. */
@Entity()
export class Organization {
  [OptionalProps]?: 'version';

  @PrimaryKey({ type: 'uuid' })
  id: string = uuidv7();

  @Property({ type: 'text', unique: true })
  name!: string;

  @Property({ type: 'boolean', default: true })
  isActive: boolean = true;

  /** Which of two values for one key is the current one. */
  @Enum({ items: () => RevisionPolicy, default: RevisionPolicy.KEEP_FIRST })
  revisionPolicy: RevisionPolicy = RevisionPolicy.KEEP_FIRST;

  @Property({ type: 'datetime', length: 3, defaultRaw: 'now()' })
  createdAt: Date = new Date();

  @Property({ type: 'integer', version: true, default: 1 })
  version!: number;
}
