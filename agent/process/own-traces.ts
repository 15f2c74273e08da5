/**
 * Traces the agent's own work with OpenTelemetry's SDK. The encoded spans go through the pipeline, the spool and the
 * destinations like every other record. Only imported where `telemetry.traces` is on, because sdk-node imports every
 * exporter.
 */
import {
  type Span as ApiSpan,
  context,
  diag,
  logs,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK, type NodeSDKConfiguration } from '@opentelemetry/sdk-node';
import type { Attributes } from '../../collectors/records/records.ts';
import { VERSION } from '../../config/version.ts';
import {
  OWN_SPAN_SCOPE,
  type OwnSpan,
  type OwnSpanAttributes,
  type OwnTracer,
} from '../../exporters/shared/own-tracer.ts';

type SpanExporter = NodeSDKConfiguration['traceExporter'];

const SUCCESS = 0;

export interface OwnTracesOptions {
  /** Of the agent itself. */
  readonly resource: Attributes;
  /** @param otlp an encoded request @param count its spans */
  readonly emit: (otlp: Buffer, count: number) => void;
}

export interface OwnTraces {
  readonly tracer: OwnTracer;
  /** Emits what waits. Spans that end later are lost. */
  shutdown(): Promise<void>;
}

class SdkSpan implements OwnSpan {
  private readonly tracer: Tracer;
  private readonly span: ApiSpan;

  constructor(tracer: Tracer, span: ApiSpan) {
    this.tracer = tracer;
    this.span = span;
  }

  startChild(name: string, attributes: OwnSpanAttributes = {}): OwnSpan {
    const parent = trace.setSpan(ROOT_CONTEXT, this.span);
    return new SdkSpan(this.tracer, this.tracer.startSpan(name, { attributes }, parent));
  }

  setAttribute(name: string, value: string | number): void {
    this.span.setAttribute(name, value);
  }

  end(error?: string): void {
    if (error !== undefined) this.span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    this.span.end();
  }
}

/** Encodes finished spans; the pipeline delivers them. */
const exporterTo = (emit: OwnTracesOptions['emit']): SpanExporter => ({
  export(spans, done) {
    const bytes = ProtobufTraceSerializer.serializeRequest(spans);
    if (bytes !== undefined && spans.length > 0) emit(Buffer.from(bytes), spans.length);
    done({ code: SUCCESS });
  },
  shutdown: async () => {},
});

/**
 * The SDK's batch processor bounds what waits: 2048 spans by default, further ones are dropped. `OTEL_BSP_*` and
 * `OTEL_TRACES_SAMPLER` have the meaning that OpenTelemetry specifies.
 */
export function startOwnTraces({ resource, emit }: OwnTracesOptions): OwnTraces {
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: resourceFromAttributes({ ...resource, 'service.version': VERSION }),
    traceExporter: exporterTo(emit),
    // Without these, the SDK would make its own from `OTEL_*` variables.
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
    textMapPropagator: null,
  });
  sdk.start();
  // With OTEL_LOG_LEVEL the SDK would log to standard output, which belongs to the console exporter.
  diag.disable();
  const tracer = trace.getTracer(OWN_SPAN_SCOPE, VERSION);
  return {
    tracer: {
      startSpan: (name, kind, attributes = {}) =>
        new SdkSpan(
          tracer,
          tracer.startSpan(
            name,
            { kind: kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL, attributes },
            ROOT_CONTEXT,
          ),
        ),
    },
    async shutdown() {
      await sdk.shutdown();
      // After a reload the next agent registers its own.
      trace.disable();
      logs.disable();
      context.disable();
    },
  };
}
