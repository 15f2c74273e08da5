/**
 * Reports the daemon's images, volumes and networks: each one when it is found, changed or removed. Compares
 * running containers with the image that their reference means now.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { catalogue } from '../../catalogue/index.ts';
import type { Collector } from '../../records/collector.ts';
import type { Container, PointSink } from '../../records/records.ts';
import { isObjectKind, type ObjectKind, objectKinds } from './docker-object.ts';
import { ObjectLister, type ObjectListerOptions } from './list-objects.ts';
import { ObjectReporter, type ObjectReporterOptions } from './object-reporter.ts';
import { OutdatedImages } from './outdated-images.ts';

/** Changes come in bursts: after the first one, the collector waits this long before it lists objects. */
const SETTLE_MS = 500;

export interface ObjectOptions extends ObjectListerOptions, ObjectReporterOptions {}

export class ObjectCollector implements Collector {
  readonly name = 'objects';
  private readonly options: ObjectOptions;
  private readonly lister: ObjectLister;
  private readonly reporter: ObjectReporter;
  private readonly outdated: OutdatedImages;
  private readonly stopping = new AbortController();
  /** Kinds that have changed and were not listed since. */
  private readonly changedKinds = new Set<ObjectKind>();
  private refreshing: Promise<void> | undefined;

  constructor(options: ObjectOptions) {
    this.options = options;
    this.lister = new ObjectLister(options, this.stopping.signal);
    this.reporter = new ObjectReporter(options);
    this.outdated = new OutdatedImages(options.sink);
  }

  /**
   * @param type of the object that has changed, as events name it; other types than those listed are ignored
   */
  objectChanged(type: string): void {
    if (isObjectKind(type)) this.changedKinds.add(type);
    this.scheduleRefresh();
  }

  /** Lists the objects of every kind. */
  async refreshAll(): Promise<void> {
    for (const kind of objectKinds) this.changedKinds.add(kind);
    this.scheduleRefresh();
    await this.refreshing;
  }

  attachContainer(container: Container): void {
    if (container.pid !== 0 && this.outdated.isKnown) this.outdated.reportOutdated([container]);
  }

  /** The container may have been the last one that used a volume. */
  removeContainer(): void {
    this.objectChanged('volume');
  }

  close(): void {
    this.stopping.abort();
  }

  collectContainer(container: Container, points: PointSink): void {
    if (container.pid === 0 || !this.outdated.isKnown) return;
    points.push({
      metric: catalogue.imageOutdated,
      value: this.outdated.newerImage(container) === undefined ? 0 : 1,
    });
  }

  collectHost(points: PointSink): void {
    const drivers = new Map<string, number>();
    for (const { attributes } of this.reporter.knownObjects('network')) {
      const driver = String(attributes['docker.network.driver']);
      drivers.set(driver, (drivers.get(driver) ?? 0) + 1);
    }
    for (const [driver, value] of drivers)
      points.push({
        metric: catalogue.daemonNetworks,
        value,
        attributes: { 'docker.network.driver': driver },
      });
  }

  private scheduleRefresh(): void {
    if (this.changedKinds.size === 0 || this.stopping.signal.aborted) return;
    this.refreshing ??= this.refreshChanged().finally(() => {
      this.refreshing = undefined;
      this.scheduleRefresh();
    });
  }

  private async refreshChanged(): Promise<void> {
    const { signal } = this.stopping;
    while (this.changedKinds.size > 0 && !signal.aborted) {
      await sleep(SETTLE_MS, undefined, { signal, ref: false }).catch(() => {});
      for (const kind of [...this.changedKinds]) {
        this.changedKinds.delete(kind);
        if (signal.aborted) return;
        try {
          await this.refresh(kind);
        } catch (error) {
          if (!signal.aborted) this.options.sink.reportError(this.name, error);
        }
      }
    }
  }

  private async refresh(kind: ObjectKind): Promise<void> {
    const { lister, reporter, outdated } = this;
    switch (kind) {
      case 'image': {
        const images = await lister.fetchImages();
        outdated.updateReferences(images);
        reporter.reportChanges(kind, lister.imageListing(images));
        outdated.reportOutdated(this.options.containers());
        return;
      }
      case 'volume':
        return reporter.reportChanges(kind, await lister.fetchVolumes());
      case 'network':
        return reporter.reportChanges(kind, await lister.fetchNetworks());
    }
  }
}
