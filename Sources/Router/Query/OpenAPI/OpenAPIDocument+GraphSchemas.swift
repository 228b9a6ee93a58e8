extension OpenAPIDocument {
    /// The service graph and the history of the status page.
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
