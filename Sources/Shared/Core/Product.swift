/// What this software calls itself.
public enum Product {
    /// The version that `version`, `--version` and `/v1/ping` tell.
    public static let version = "0.1.0"
}
