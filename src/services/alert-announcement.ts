import type { Broker } from '../messaging/broker.js';
import { encode } from '../messaging/contracts.js';
import type { Alert, Announce } from './alert-book.js';

/** Publishes alerts to the topic exchange `alerts`, with the routing key `<organization>.<kind>.<severity>`. */
export function announceTo(broker: Pick<Broker, 'publishTo'>): Announce {
  return (alert) => {
    const routingKey = `${alert.organizationId}.${alert.kind}.${alert.severity}`;
    return broker.publishTo('alerts', routingKey, encode(messageOf(alert)));
  };
}

function messageOf(alert: Alert) {
  return {
    version: 1,
    alert: alert.id,
    organization: alert.organizationId,
    kind: alert.kind,
    subject: alert.subject,
    severity: alert.severity,
    state: alert.resolvedAt === null ? 'open' : 'resolved',
    message: alert.message,
    details: alert.details,
    started_at: alert.startedAt,
    last_seen_at: alert.lastSeenAt,
    resolved_at: alert.resolvedAt,
  };
}
