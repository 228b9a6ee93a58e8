import Testing

/// All tests that compare what the real executables give with what is known to be right; one at a time, since each
/// starts processes of its own.
@Suite(.serialized) enum Parity {}
