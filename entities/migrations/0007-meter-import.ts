import { Migration } from '@mikro-orm/migrations';

/** Meters are found by the utility's own id: an import of a file looks up each of its rows. */
export class MeterImport extends Migration {
  override up(): void {
    this.addSql(
      'create index meter_device_organization_id_external_reference_index on meter_device (organization_id, external_reference)',
    );
  }
}
