extension OpenAPIDocument {
    /// What the console's pages ask.
    static let consolePaths = #"""
      /api/services:
        get:
          operationId: services
          tags: [console]
          summary: Services and their operations.
          parameters:
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: Services, sorted by name.
              content: {application/json: {schema: {$ref: "#/components/schemas/Services"}}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/trace/{id}:
        get:
          operationId: trace
          tags: [console]
          summary: A trace view in a compact form.
          parameters:
            - {$ref: "#/components/parameters/traceID"}
          responses:
            "200":
              description: The trace.
              content: {application/json: {schema: {$ref: "#/components/schemas/Trace"}}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/explain/{span}:
        get:
          operationId: explain
          tags: [console]
          summary: Why a span hangs where it hangs, or why it hangs nowhere.
          parameters:
            - name: span
              in: path
              required: true
              description: 1 to 16 hexadecimal digits, not all of them 0.
              example: 2b3187d9662672ad
              schema: {type: string, pattern: "^0*[1-9a-fA-F][0-9a-fA-F]*$", maxLength: 16}
            - name: trace
              in: query
              description: The span's trace; without it the newest trace with the span is looked for.
              schema: {type: string, pattern: "^[0-9a-fA-F]{1,32}$"}
          responses:
            "200":
              description: The explanation.
              content: {application/json: {schema: {$ref: "#/components/schemas/Explanation"}}}
            "400": {$ref: "#/components/responses/BadRequest"}
            "404": {$ref: "#/components/responses/NotFound"}
            "503": {$ref: "#/components/responses/Unavailable"}
      /api/graph:
        get:
          operationId: serviceGraph
          tags: [console]
          summary: Who calls whom, how often, how fast and how well.
          parameters:
            - {$ref: "#/components/parameters/start"}
            - {$ref: "#/components/parameters/end"}
          responses:
            "200":
              description: The graph; latencies in milliseconds.
              content: {application/json: {schema: {$ref: "#/components/schemas/Graph"}}}
            "400": {$ref: "#/components/responses/BadRequest"}
      /api/history:
        get:
          operationId: history
          tags: [console]
          summary: The router's counters of the last minutes.
          responses:
            "200":
              description: At most 600 points; counters are cumulative.
              content: {application/json: {schema: {$ref: "#/components/schemas/History"}}}
    """#
}
