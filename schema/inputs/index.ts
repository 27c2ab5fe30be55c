export * from './amr-task.js';
export * from './amr-task-group.js';
export * from './filters.js';
export * from './invocation.js';
export * from './meter-device.js';
export * from './network-interface.js';
export * from './segment.js';
export * from './series.js';
