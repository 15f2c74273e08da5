/** All peers that the benches can run. */
import { cadvisor } from './cadvisor.ts';
import { fluentBit } from './fluent-bit.ts';
import { netdata } from './netdata.ts';
import { otelcol } from './otelcol.ts';
import type { BenchPeer } from './peer.ts';
import { telegraf } from './telegraf.ts';

export const benchPeers: readonly BenchPeer[] = [fluentBit, otelcol, cadvisor, netdata, telegraf];
