import Linking

/// Settings in seconds become options of the core in epochs, a quarter of the window each.
extension LinkingSettings {
    /// Epochs in a time, rounded up; at least one.
    private func epochs(_ time: Duration) -> UInt64 {
        let ratio = (time * 4) / window
        return UInt64(max(1, ratio.rounded(.up).isFinite ? min(ratio.rounded(.up), 1e15) : 1e15))
    }

    public var lateWindowEpochs: UInt64 { epochs(lateWindow) }
    public var maxTraceAgeEpochs: UInt64 { epochs(maxTraceAge) }

    /// The options of the merge.
    ///
    /// - Parameter closesByTime: false for a replay that closes nothing before its end.
    public func options(closesByTime: Bool) -> LinkingOptions {
        var options = LinkingOptions()
        options.datakitCompatible = compatibility == .datakit
        options.useApplicationTraceID = useApplicationTraceID
        options.trustApplicationSampled = trustApplicationSampled
        options.inferredLinks = switch inferLinks {
        case .unique: .unique
        case .latest: .latest
        case .off: .off
        }
        options.samplingRate = samplingRate
        options.windowEpochs = epochs(window)
        options.openWaitEpochs = epochs(openWait)
        options.maxTraceAgeEpochs = maxTraceAgeEpochs
        options.lateWindowEpochs = lateWindowEpochs
        options.closesByTime = closesByTime
        return options
    }
}
