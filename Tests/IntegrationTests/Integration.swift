import Testing

/// All tests that run the product as users do: real processes, real sockets; one at a time.
@Suite(.serialized) enum Integration {}
