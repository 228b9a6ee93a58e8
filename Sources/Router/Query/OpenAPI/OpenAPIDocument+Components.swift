extension OpenAPIDocument {
    /// Parameters and answers that several paths share, and the schemas of single values.
    static let components = #"""
    components:
      parameters:
        traceID:
          name: id
          in: path
          required: true
          description: 1 to 32 hexadecimal digits; filled up with zeros from the left.
          example: 9fe92257341f0634af21a642f5038972
          schema: {type: string, pattern: "^[0-9a-fA-F]{1,32}$"}
        tag:
          name: tag
          in: path
          required: true
          description: resource.x, span.x, .x, or an intrinsic such as name; the first version takes x alone.
          schema: {type: string, minLength: 1}
          example: resource.service.name
        start:
          name: start
          in: query
          description: Seconds since 1970; 0 is no bound.
          schema: {type: integer, minimum: 0, maximum: 18446744072}
        end:
          name: end
          in: query
          description: Seconds since 1970, after start; 0 is no bound.
          schema: {type: integer, minimum: 0, maximum: 18446744072}
        limitOfTags:
          name: limit
          in: query
          description: Most names or values; 0, and more than 10,000, count as 10,000.
          schema: {type: integer, minimum: 0}
      responses:
        BadRequest:
          description: The question cannot be read, or asks for what is not supported.
          content: {application/json: {schema: {$ref: "#/components/schemas/Error"}}}
        NotFound:
          description: It is not in the store, or the store is off.
          content: {application/json: {schema: {$ref: "#/components/schemas/Error"}}}
        Unavailable:
          description: The store cannot answer now.
          content: {application/json: {schema: {$ref: "#/components/schemas/Error"}}}
      schemas:
        Error:
          type: object
          required: [error]
          properties: {error: {type: string}}
        BuildInformation:
          type: object
          required: [version, product, productVersion]
          properties:
            version: {type: string, description: Of Tempo's API.}
            product: {const: ebpftrace}
            productVersion: {type: string}
        Readiness:
          type: object
          required: [ready, reasons]
          properties: {ready: {type: boolean}, reasons: {type: array, items: {type: string}}}
        Base64: {type: string, contentEncoding: base64}
        Nanoseconds: {type: string, pattern: "^[0-9]+$", description: A 64-bit number as text.}
        HexTrace: {type: string, pattern: "^[0-9a-f]{32}$"}
        HexSpan: {type: string, pattern: "^[0-9a-f]{16}$"}
        KeyValue:
          type: object
          required: [key, value]
          properties:
            key: {type: string}
            value:
              type: object
              maxProperties: 1
              properties:
                stringValue: {type: string}
                intValue: {type: string}
                doubleValue: {type: [number, string]}
                boolValue: {type: boolean}
                arrayValue: {type: object, description: Of events and links; in spans lists are JSON text.}
                kvlistValue: {type: object}
                bytesValue: {type: string, contentEncoding: base64}
    """#
}
