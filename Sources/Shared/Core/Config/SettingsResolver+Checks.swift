import Logging

/// Settings without a field of their own, and what `check` has to say.
extension SettingsResolver {
    /// Effective values in the order of the table. O(keys²), once at start.
    var sortedEffective: [EffectiveSetting] {
        SettingKey.all.compactMap { key in effective.last { $0.name == key.name } }
    }

    mutating func logLevel() throws(Failure) -> Logger.Level {
        let key = SettingKey.logLevel
        let raw = found(key)?.value ?? .text(key.defaultText)
        let source = found(key)?.source ?? .standard
        guard case .text(let text) = raw else { throw Self.bad(key, raw, source) }
        let name = text.lowercased() == "warn" ? "warning" : text.lowercased()
        guard let level = Logger.Level(rawValue: name) else { throw Self.bad(key, raw, source) }
        record(key, level.rawValue, source)
        return level
    }

    mutating func settingsFile() throws(Failure) { _ = try text(.config) }

    mutating func warn(about linking: LinkingSettings) {
        let window = DurationText.text(linking.window)
        if linking.window < .seconds(1) {
            tell(.warning("window = \(window) is below 1s: agents report the two ends of a call seconds apart"))
        }
        if linking.openWait < linking.window {
            tell(.warning("open_wait = \(DurationText.text(linking.openWait)) is below window = \(window): no effect"))
        }
        if linking.maxTraceAge < linking.window {
            let age = DurationText.text(linking.maxTraceAge)
            tell(.warning("max_trace_age = \(age) is below window = \(window): every trace closes early"))
        }
        if linking.lateWindow < linking.maxTraceAge {
            let late = DurationText.text(linking.lateWindow)
            let age = DurationText.text(linking.maxTraceAge)
            tell(
                .warning(
                    "late_window = \(late) is shorter than max_trace_age = \(age):"
                        + " repeats and late spans of long traces may come out as traces of their own"))
        }
        warnAboutSampling(linking)
    }

    private mutating func warnAboutSampling(_ linking: LinkingSettings) {
        if linking.samplingRate == 0 {
            let unless = linking.trustApplicationSampled ? " unless an application asked to keep it" : ""
            tell(.warning("sampling_rate = 0 drops every trace\(unless)"))
        }
        guard linking.trustApplicationSampled, linking.samplingRate < 1 else { return }
        tell(
            .warning(
                "trust_app_sampled = true: today's agents mark every W3C trace (traceparent) as kept, so sampling_rate"
                    + " does not thin those out; set trust_app_sampled to false if it should"))
    }

    mutating func warn(aboutListeners listeners: [(key: SettingKey, address: ListenAddress)]) {
        for listener in listeners where !listener.address.isLoopback {
            tell(
                .warning(
                    "\(listener.key.name) = \(listener.address) can be reached from other machines, without TLS and"
                        + " without a password; keep it inside a trusted network"))
        }
    }
}
