import { familiarName } from '../../lifecycle/identity.ts';
import { agentEventRecord, agentEvents } from '../../records/agent-events.ts';
import type { RecordSink } from '../../records/collector.ts';
import { type Container, unixNow } from '../../records/records.ts';
import type { ImageSummary } from './docker-object.ts';
import { listedReference, usableReferences } from './image-references.ts';
import { imageIdOf } from './list-objects.ts';

/** Detects running containers whose image reference has moved on to another image since they were created. */
export class OutdatedImages {
  private readonly sink: RecordSink;
  /** Image ids by reference. */
  private idsByReference = new Map<string, string>();
  /** Ids of the images that containers' references mean now: read for each container in each round. */
  private readonly currentIds = new Map<string, string | undefined>();
  /** Containers that were reported. */
  private readonly reported = new WeakSet<Container>();

  constructor(sink: RecordSink) {
    this.sink = sink;
  }

  /** Whether the daemon has listed any image with a reference. */
  get isKnown(): boolean {
    return this.idsByReference.size > 0;
  }

  updateReferences(images: readonly ImageSummary[]): void {
    this.currentIds.clear();
    this.idsByReference = new Map(
      images.flatMap(({ Id, RepoTags }) =>
        usableReferences(RepoTags).map((reference) => [familiarName(reference), Id]),
      ),
    );
  }

  /**
   * The id of the image that a new container of the same reference would have; undefined where it is the
   * same.
   */
  newerImage(container: Container): string | undefined {
    const { image } = container;
    if (!this.currentIds.has(image)) {
      const reference = listedReference(image);
      this.currentIds.set(image, reference === undefined ? undefined : this.idsByReference.get(reference));
    }
    const current = this.currentIds.get(image);
    const own = imageIdOf(container);
    return current === undefined || own === undefined || current === own ? undefined : current;
  }

  /** Emits an event for each running container that has become outdated. */
  reportOutdated(containers: Iterable<Container>): void {
    for (const container of containers) {
      const newer = container.pid === 0 ? undefined : this.newerImage(container);
      if (newer === undefined) this.reported.delete(container);
      else if (!this.reported.has(container)) {
        this.reported.add(container);
        const record = agentEventRecord(agentEvents.outdated, {
          time: unixNow(),
          subject: container.id,
          body: `container ${container.name} runs an outdated image: ${container.image} now refers to another one`,
          attributes: { 'docker.image.reference': container.image, 'docker.image.current_id': newer },
        });
        void this.sink.emitEvent(container.resource, record);
      }
    }
  }
}
