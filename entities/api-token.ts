import { Entity, Enum, Property, Unique } from '@mikro-orm/core';
import { Role } from '../src/domain/enums.js';
import { TenantEntity } from './base.js';

/** A key to the API for one program or person. The token itself is not kept, only what it is recognised by. */
@Entity()
@Unique({ properties: ['organization', 'name'] })
export class ApiToken extends TenantEntity {
  /** Never used again, also when the token is revoked: audits name it. */
  @Property({ type: 'text' })
  name!: string;

  @Enum({ items: () => Role, type: 'text' })
  role!: Role;

  /** Root fields of the API it is good for. Null: all that its role allows. */
  @Property({ type: 'array', columnType: 'text[]', nullable: true })
  scopes: string[] | null = null;

  /** SHA-256 of the token. */
  @Property({ type: 'text', unique: true, hidden: true })
  digest!: string;

  @Property({ type: 'datetime', length: 3, nullable: true })
  expiresAt: Date | null = null;

  /** Written once a minute at most. */
  @Property({ type: 'datetime', length: 3, nullable: true })
  lastUsedAt: Date | null = null;

  @Property({ type: 'datetime', length: 3, nullable: true })
  revokedAt: Date | null = null;
}
