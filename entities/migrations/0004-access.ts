import { Migration } from '@mikro-orm/migrations';

/** Tokens of the API. */
export class Access extends Migration {
  override up(): void {
    this.addSql(`
      create table api_token (
        name text not null,
        role text not null constraint api_token_role_check check (role in ('viewer', 'operator', 'admin')),
        scopes text[],
        digest text not null,
        expires_at timestamptz(3),
        last_used_at timestamptz(3),
        revoked_at timestamptz(3),
        version int not null default 1,
        id uuid not null,
        organization_id uuid not null constraint api_token_organization_id_foreign
          references organization on update cascade on delete restrict,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint api_token_pkey primary key (id),
        constraint api_token_digest_unique unique (digest),
        constraint api_token_organization_id_name_unique unique (organization_id, name))`);
  }
}
