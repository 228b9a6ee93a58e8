import Linking

/// What the fields of a point make of it.
enum PointOutcome {
    case linked
    case passThrough(PassThroughReason)
    case dropped(PointDropReason)
}

extension PointSlots {
    /// Fills the facts of the point; `scope` is the hash of the address or agent header the body came with, 0: none.
    ///
    /// The id is set unless the point is passed through (its bytes make the id then).
    @inline(__always) mutating func fill(_ facts: inout SpanFacts, scope: UInt64, strict: Bool) -> PointOutcome {
        if strict, isUnfitForStrict { return .dropped(.missingField) }
        fillKeys(&facts, strict: strict)
        fillProcess(&facts)
        fillTimes(&facts)
        fillFlow(&facts)
        fillScope(&facts, scope: scope)
        let application: UInt32 = (1 &<< 17) | (1 &<< 18) | (1 &<< 19) | (1 &<< 20) | (1 &<< 21)
        if present & application != 0 { fillApplication(&facts, strict: strict) }
        return finish(&facts, strict: strict)
    }

    /// What today's collector drops without a word (conformance/README, "Dropped silently").
    private var isUnfitForStrict: Bool {
        guard isSigned(.requestSequence), isSigned(.responseSequence), isSigned(.threadTraceID),
            isText(.direction), isText(.spanType)
        else { return true }
        return has(.spanID) && !isSigned(.spanID)
    }

    @inline(__always) private func fillKeys(_ facts: inout SpanFacts, strict: Bool) {
        facts.requestSequence = integer(.requestSequence, strict: strict) ?? 0
        facts.responseSequence = integer(.responseSequence, strict: strict) ?? 0
        let thread = integer(.threadTraceID, strict: strict) ?? 0
        facts.threadKey = thread == .max ? 0 : thread
        if equals(.direction, "incoming") { facts.flags.insert(.incoming) }
        if equals(.spanType, "entry") { facts.flags.insert(.entry) }
        if equals(.status, "error") { facts.flags.insert(.error) }
    }

    @inline(__always) private func fillProcess(_ facts: inout SpanFacts) {
        facts.processID = number(.processID)
        let userThread = number(.userThreadID)
        if userThread != 0 {
            facts.threadID = userThread
            facts.flags.insert(.userThread)
        } else {
            facts.threadID = number(.threadID)
        }
        guard facts.processID != 0 else { return }
        facts.flags.insert(.hasPID)
        if facts.threadID != 0 { facts.flags.insert(.hasProcess) }
    }

    @inline(__always) private func fillTimes(_ facts: inout SpanFacts) {
        facts.kernelTime = Int64(bitPattern: integer(.kernelTime) ?? 0)
        if facts.kernelTime != 0 { facts.flags.insert(.hasKernelTime) }
        facts.duration = Int64(bitPattern: integer(.duration) ?? 0)
        if let start = integer(.start) {
            facts.start = Int64(bitPattern: start)
        } else {
            facts.start = time / 1_000
        }
    }

    /// Both ends need an address and a port; a destination behind a NAT goes by what the NAT made of it.
    @inline(__always) private mutating func fillFlow(_ facts: inout SpanFacts) {
        guard let source = text(.sourceAddress), let destination = text(.natAddress) ?? text(.destinationAddress),
            let sourcePort = port(.sourcePort), let destinationPort = natPort ?? port(.destinationPort)
        else { return }
        let flow = FlowKey(
            source: PointText.flowEnd(base, source.start, source.length, port: sourcePort),
            destination: PointText.flowEnd(base, destination.start, destination.length, port: destinationPort),
            incoming: facts.isIncoming)
        self.flow = flow
        facts.flow = flow.pairFingerprint
        facts.initiator = flow.initiatorFingerprint
        facts.flags.insert(.hasFlow)
    }

    /// `dst_nat_port`; nil also for 0.
    @inline(__always) private var natPort: UInt16? {
        guard has(.natPort), let port = port(.natPort), port != 0 else { return nil }
        return port
    }

    @inline(__always) private func fillScope(_ facts: inout SpanFacts, scope: UInt64) {
        if let host = text(.host) {
            facts.scope = hash(host)
        } else if scope != 0 {
            facts.scope = scope
        } else if let source = text(.sourceAddress) {
            facts.scope = hash(source)
        }
    }

    /// Application ids; a trace id counts only when both of its fields are there.
    @inline(never) private func fillApplication(_ facts: inout SpanFacts, strict: Bool) {
        if equals(.encoding, "hex") { facts.flags.insert(.encodeHex) }
        if let low = integer(.traceLow, strict: strict), let high = integer(.traceHigh, strict: strict) {
            facts.application.traceLow = low
            facts.application.traceHigh = high
            let sampled = Int64(bitPattern: integer(.sampled, strict: strict) ?? 0)
            if sampled > 0 { facts.flags.insert(.sampledKeep) }
            if sampled < 0 { facts.flags.insert(.sampledReject) }
        }
        facts.application.parent = integer(.parentLow, strict: strict) ?? 0
        // Today's collector takes the parent only from a complete set.
        if strict, !isSigned(.traceLow) || !isSigned(.traceHigh) { facts.application.parent = 0 }
        guard facts.application.hasTrace || facts.application.parent != 0 else { return }
        facts.flags.insert(.hasApplication)
        if printsHex(facts.application) { facts.flags.insert(.applicationHex) }
    }

    /// How the application writes its trace id: by what `app_trace_encode` says, else by the text of `app_trace_id`.
    private func printsHex(_ application: ApplicationIDs) -> Bool {
        if equals(.encoding, "hex") { return true }
        if let encoding = text(.encoding), encoding.length >= 3,
            PointText.equals(base, encoding.start, 3, "dec") { return false }
        guard let text = text(.traceText) else { return application.traceHigh != 0 }
        return text.length == 32 || !PointText.isDigits(base, text.start, text.length)
    }

    @inline(__always) private func finish(_ facts: inout SpanFacts, strict: Bool) -> PointOutcome {
        if let reason = reasonToPassThrough(facts) {
            facts.flags.insert(.passThrough)
            return .passThrough(reason)
        }
        if has(.spanID), let given = givenID(strict: strict) {
            facts.id = given
            facts.flags.insert(.givenID)
        } else {
            facts.id = facts.computedID
        }
        return .linked
    }

    @inline(__always) private func reasonToPassThrough(_ facts: SpanFacts) -> PassThroughReason? {
        guard has(.direction), isTextual(.direction) else { return .missingDirection }
        guard has(.spanType), isTextual(.spanType) else { return .missingSpanType }
        guard facts.requestSequence != 0 || facts.threadKey != 0 || facts.flags.contains(.hasProcess) else {
            return .noLinkFacts
        }
        return nil
    }

    @inline(__always) private func isTextual(_ key: FieldKey) -> Bool {
        let tag = tag(key)
        return tag == FieldKind.text.rawValue || tag == FieldKind.bytes.rawValue
    }

    /// A `span_id` other than 0: an integer; as text 16 hexadecimal digits (as we print them), decimal, or shorter hex.
    private func givenID(strict: Bool) -> SpanID? {
        let tag = tag(.spanID)
        var bits: UInt64?
        if tag == FieldKind.signed.rawValue || tag == FieldKind.unsigned.rawValue {
            bits = integer(.spanID)
        } else if !strict, let text = text(.spanID) {
            let hex = PointText.hex(base, text.start, text.length)
            bits = text.length == 16 ? hex : PointText.decimal(base, text.start, text.length) ?? hex
        }
        guard let bits, bits != 0 else { return nil }
        return SpanID(bits)
    }
}
