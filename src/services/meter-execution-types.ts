import { executionContexts } from '../execution/contexts.js';
import { kwargsSchema } from './task-call.js';

export interface MeterExecutionTypeRow {
  readonly name: string;
  readonly description: string;
  readonly calls: {
    readonly name: string;
    readonly description: string;
    readonly writesToMeter: boolean;
    readonly kwargsSchema: Record<string, unknown>;
  }[];
}

/** The ways to talk to meters that this installation has, with the JSON Schema of each call's kwargs. */
export function listMeterExecutionTypes(): MeterExecutionTypeRow[] {
  return [...executionContexts.values()].map(({ name, description, calls }) => ({
    name,
    description,
    calls: [...calls.values()].map((call) => ({
      name: call.name,
      description: call.description,
      writesToMeter: call.writesToMeter,
      kwargsSchema: kwargsSchema(call),
    })),
  }));
}
