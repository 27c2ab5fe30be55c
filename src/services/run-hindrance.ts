/** What to do about a meter that refused its credentials, in the words of the API. */
export const CREDENTIALS_CURE =
  'give it new credentials with updateMeterDevice, or have the same ones tried again with clearCredentialsRejection';

/**
 * SQL of a statement that makes runs on meters `m`. A run that no session could carry is FAILED from the start, with
 * the reason: it is seen as what is missing of a slot or an invocation, and costs no meter a try.
 */
export const NEW_RUN = {
  /** Joined to the meters. */
  join: `cross join lateral (
    select case
      when m.network_interface_id is null then 'NO_INTERFACE'
      when m.credentials_rejected_at is not null then 'CREDENTIALS_REJECTED'
    end as code
  ) hindrance`,
  columns: 'state, finished_at, error_code, error_message',
  values: `case when hindrance.code is null then 'pending' else 'failed' end,
    case when hindrance.code is not null then now() end,
    hindrance.code,
    case hindrance.code
      when 'NO_INTERFACE' then 'the meter has no network interface to reach it by; give it one'
      when 'CREDENTIALS_REJECTED' then 'the meter refused its credentials at '
        || to_char(m.credentials_rejected_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        || ' and is left alone, as meters lock out; ${CREDENTIALS_CURE}'
    end`,
} as const;
