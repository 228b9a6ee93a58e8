extension OpenAPIDocument {
    /// The service graph, the status and its history.
    static let graphSchemas = #"""
        Graph:
          type: object
          required: [nodes, edges, unpaired]
          properties:
            nodes:
              type: array
              items:
                type: object
                required: [name, type, requests, errors]
                properties:
                  name: {type: string}
                  type: {enum: [service, database, messaging, external, user]}
                  requests: {type: integer}
                  errors: {type: integer}
            edges:
              type: array
              items:
                type: object
                required: [client, server, requests, errors, rate, p50, p95, p99]
                properties:
                  client: {type: string}
                  server: {type: string}
                  requests: {type: integer}
                  errors: {type: integer}
                  rate: {type: number, description: Requests a second.}
                  p50: {type: number}
                  p95: {type: number}
                  p99: {type: number}
            unpaired:
              type: array
              items:
                type: object
                required: [service, side, spans]
                properties:
                  service: {type: string}
                  side: {enum: [client, server]}
                  spans: {type: integer}
        Status:
          type: object
          required: [version, upSeconds, workers, partitions, spansAccepted, spansHeld, problems, store]
          properties:
            version: {type: string}
            upSeconds: {type: number}
            workers: {type: array, items: {type: object}}
            partitions: {type: array, items: {type: object}}
            spansAccepted: {type: integer}
            spansHeld: {type: integer}
            spansExported: {type: object, additionalProperties: {type: integer}}
            spansDropped: {type: object, additionalProperties: {type: integer}}
            problems: {type: array, items: {type: string}}
            store: {$ref: "#/components/schemas/StoreStatus"}
        StoreStatus:
          type: object
          required: [on, spans, segments, bytes, bytesMax, written, refused, expired, waiting, behindSeconds]
          properties:
            on: {type: boolean, description: "False with store = off; everything else is 0 then."}
            spans: {type: integer, description: That can be asked for.}
            segments: {type: integer}
            bytes: {type: integer, description: On disk.}
            bytesMax: {type: integer, description: store_bytes.}
            ageMaxSeconds: {type: number, description: store_age.}
            oldest: {type: number, description: When the oldest segment was written; seconds since 1970.}
            written: {type: integer, description: Spans since the router started.}
            refused:
              type: object
              description: "Posted and not stored: unreadable, behind, failed."
              additionalProperties: {type: integer}
            expired:
              type: object
              description: "Removed again: age, bytes."
              additionalProperties: {type: integer}
            waiting: {type: integer, description: Spans that wait for the writer.}
            behindSeconds: {type: number, description: How long the first of them has waited.}
        History:
          type: object
          required: [stepSeconds, points]
          properties:
            stepSeconds: {type: number}
            points:
              type: array
              maxItems: 600
              items:
                type: object
                required: [time, accepted, exported, dropped, held, openSpans, lagSeconds, cpuSeconds, memoryBytes]
                properties:
                  time: {type: number, description: Seconds since 1970.}
                  accepted: {type: integer}
                  exported: {type: object, additionalProperties: {type: integer}}
                  dropped: {type: object, additionalProperties: {type: integer}}
                  held: {type: integer}
                  openSpans: {type: integer}
                  lagSeconds: {type: number}
                  cpuSeconds: {type: number}
                  memoryBytes: {type: integer}

    """#
}
