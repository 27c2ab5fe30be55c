import type { EntityManager } from '@mikro-orm/postgresql';
import { AmrTask, AmrTaskGroup, MeterDevice, NetworkInterface, Organization } from '../../entities/index.js';
import { seal } from '../credentials.js';
import type { Database } from '../db/database.js';
import { AmrSchedule, NetworkInterfaceKind } from '../domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import { latestSlot } from '../domain/schedule.js';
import type { FleetMeter } from '../simulators/fleet.js';

const GROUP = 'Demo gas meters';
const DAY_SECONDS = 86_400;

const TASKS = [
  {
    name: 'Hourly archive',
    description: 'Hourly counters and measurements of the last 25 hours.',
    schedule: AmrSchedule.QUARTERLY,
    taskCall: 'read_archive_by_offset_seconds',
    taskKwargs: { offset_seconds: 90_000, archive_number: 3, control_position: 3 },
  },
  {
    name: 'Daily archive',
    description: 'Counters at the end of the last three gas days.',
    schedule: AmrSchedule.DAILY,
    taskCall: 'read_archive_by_offset_seconds',
    taskKwargs: { offset_seconds: 3 * DAY_SECONDS, archive_number: 7, control_position: 3 },
  },
  {
    name: 'Clock check',
    description: 'Sets the clock of a meter that runs ahead or behind.',
    schedule: AmrSchedule.DAILY,
    taskCall: 'set_time',
    taskKwargs: {},
  },
];

/**
 * Puts the demo's tasks, group, interfaces and meters into the database, in one transaction. What is there already stays
 * as the user left it, except that interfaces follow the ports of this start.
 * @returns ids of the meters, in the order of the fleet
 */
export async function seedDemo(database: Database, fleet: readonly FleetMeter[], publicKey: string): Promise<string[]> {
  return database.orm.em.fork().transactional(async (em) => {
    const organization = em.getReference(Organization, DEFAULT_ORGANIZATION_ID);
    const group = await seedGroup(em, organization);
    const meters: MeterDevice[] = [];
    for (const [index, simulated] of fleet.entries()) {
      meters.push(
        await seedMeter(em, organization, group, `DEMO-${String(index + 1).padStart(4, '0')}`, simulated, publicKey),
      );
    }
    return meters.map(({ id }) => id);
  });
}

async function seedGroup(em: EntityManager, organization: Organization): Promise<AmrTaskGroup> {
  const present = await em.findOne(AmrTaskGroup, { organization, name: GROUP });
  if (present) return present;
  const group = em.assign(
    new AmrTaskGroup(),
    { organization, name: GROUP, description: 'The simulated meters.' },
    { em },
  );
  em.persist(group);
  for (const task of TASKS) {
    const amrTask = await em.findOne(AmrTask, { organization, name: task.name });
    group.tasks.add(amrTask ?? newTask(em, organization, task));
  }
  return group;
}

function newTask(em: EntityManager, organization: Organization, task: (typeof TASKS)[number]): AmrTask {
  // From the slot that has just begun, so that the first readings come at once.
  const activeSince = latestSlot(task.schedule, new Date());
  return em.assign(new AmrTask(), { ...task, organization, meterExecutionType: 'generic_lis200', activeSince }, { em });
}

async function seedMeter(
  em: EntityManager,
  organization: Organization,
  group: AmrTaskGroup,
  name: string,
  simulated: FleetMeter,
  publicKey: string,
): Promise<MeterDevice> {
  const { host, port, serialNumber, model, address, password } = simulated;
  const networkInterface =
    (await em.findOne(NetworkInterface, { organization, name })) ??
    em.assign(new NetworkInterface(), { organization, name, kind: NetworkInterfaceKind.TCP }, { em });
  em.persist(em.assign(networkInterface, { host, port }));

  const present = await em.findOne(MeterDevice, { organization, name });
  if (present) return present;
  const meter = new MeterDevice();
  em.assign(meter, { organization, name, serialNumber, model, networkInterface, manufacturer: 'Elster' }, { em });
  meter.protocolAddress = address ?? null;
  meter.credentials = seal(publicKey, meter.id, { password });
  meter.taskGroups.add(group);
  em.persist(meter);
  return meter;
}
