/// `infer_links`: how rule R4 takes an entry when several are open.
public enum InferLinksSetting: String, Sendable, CaseIterable {
    case unique, latest, off
}

/// `compat`: whose behaviour is followed.
public enum CompatibilitySetting: String, Sendable, CaseIterable {
    case none, datakit
}

/// `id_encoding`: how trace ids are printed.
public enum IDEncodingSetting: String, Sendable, CaseIterable {
    case auto, datakit
}

/// `agent_scope`: what keeps the pids of two nodes apart.
public enum AgentScopeSetting: String, Sendable, CaseIterable {
    case address, forwarded, field
}

/// `fsync`: when the log is forced to disk.
public enum FsyncSetting: String, Sendable, CaseIterable {
    case interval, always
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
    /// The texts of all cases, in order.
    static var names: [String] { allCases.map(\.rawValue) }
}
