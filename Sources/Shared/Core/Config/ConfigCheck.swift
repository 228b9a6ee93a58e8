/// The text that `check` prints: every effective value, where it came from, and what to look at. No secrets.
public enum ConfigCheck {
    /// Columns for people: setting, value, source; then notes and warnings.
    public static func text(_ settings: RouterSettings) -> String { text(settings.effective, settings.notices) }

    /// The same for a worker.
    public static func text(_ settings: WorkerSettings) -> String { text(settings.effective, settings.notices) }

    private static func text(_ effective: [EffectiveSetting], _ notices: [SettingsNotice]) -> String {
        let nameWidth = (effective.map(\.name.count).max() ?? 0) + 2
        // One long list of targets must not push every source off the screen.
        let valueWidth = min(40, effective.map(\.value.count).max() ?? 0) + 2
        var lines = [padded("setting", nameWidth) + padded("value", valueWidth) + "source"]
        for setting in effective {
            lines.append(
                padded(setting.name, nameWidth) + padded(setting.value, valueWidth) + setting.source.description)
        }
        if !notices.isEmpty { lines.append("") }
        lines += notices.map(\.description)
        return lines.joined(separator: "\n") + "\n"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(2, width - text.count))
    }
}
