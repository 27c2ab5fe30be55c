import { LockMode } from '@mikro-orm/core';
import { z } from 'zod';
import { Organization } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { RevisionPolicy } from '../domain/enums.js';
import type { Broker } from '../messaging/broker.js';
import { recordAuditIn } from './audit.js';
import { auditedFields, changedFields } from './audited-fields.js';
import { enumeration, merged, notFound, parseInput } from './input.js';
import { announceRowChanges } from './row-changes.js';
import { requireVersion } from './version.js';

const OrganizationFields = z.object({ revisionPolicy: enumeration(RevisionPolicy) });
export type UpdateOrganization = Partial<z.input<typeof OrganizationFields>> & { expectedVersion?: number | null };

/** The organization itself: what holds for all of its rows. */
export class OrganizationService {
  constructor(
    private readonly database: Database,
    private readonly broker: Pick<Broker, 'broadcast'>,
  ) {}

  async find(organizationId: string): Promise<Organization> {
    const organization = await this.database.orm.em.fork().findOne(Organization, { id: organizationId });
    if (!organization) throw notFound('Organization', organizationId, 'organization');
    return organization;
  }

  /** Holds for readings that come from now on; what is stored stays as it is. */
  async update(organizationId: string, { expectedVersion, ...changes }: UpdateOrganization): Promise<Organization> {
    const updated = await this.database.orm.em.fork().transactional(async (em) => {
      const organization = await em.findOne(
        Organization,
        { id: organizationId },
        { lockMode: LockMode.PESSIMISTIC_WRITE },
      );
      if (!organization) throw notFound('Organization', organizationId, 'organization');
      requireVersion(`Organization ${JSON.stringify(organization.name)}`, organization.version, expectedVersion);
      const metadata = this.database.orm.getMetadata().get(Organization.name);
      const before = auditedFields(organization, metadata);
      em.assign(organization, parseInput(OrganizationFields, merged(organization, changes)));
      await em.flush();
      await recordAuditIn(em, {
        organization: organizationId,
        action: 'updateOrganization',
        subjectType: 'Organization',
        subjectId: organizationId,
        ...changedFields(before, auditedFields(organization, metadata)),
      });
      return organization;
    });
    await announceRowChanges(this.broker, organizationId);
    return updated;
  }
}
