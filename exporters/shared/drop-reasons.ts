/**
 * Why records are dropped: every value of `reason` in `portlight.records.dropped`. docs/delivery.md lists
 * them, and a test compares the two.
 */
export const dropReasons = {
  filter: 'The configuration does not want the record',
  rate_limit: "A container's log exceeded its `rate_limit`",
  truncated: 'A log line or record was too long. Only its end is missing: the record itself is sent',
  unreadable: 'The processing of a log line failed',
  cardinality: 'A container or the host has too many data points in a round',
  size: 'A log batch is larger than the dashboard keeps',
  exporter_error: 'An exporter failed with an error of its own',
  spool_full: 'The spool reached `spool.max_size`',
  disk_full: 'The disk is full',
  memory_full: 'The data directory cannot be used, and the memory for waiting records is full',
  expired: 'The record waited longer than `spool.max_age`',
  damaged: 'A part of the spool does not match its checksum, or cannot be read',
  refused: 'The receiver refused the record for good',
  too_large: 'The receiver refused the record for its size',
  rejected: 'The receiver accepted the request, and rejected the record in a partial success',
  shutdown: 'The record was not delivered before the agent stopped, and cannot be read again',
} as const;

export type DropReason = keyof typeof dropReasons;
