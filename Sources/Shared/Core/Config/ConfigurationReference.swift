/// The reference page of all settings, docs/configuration.md, made from the table.
public enum ConfigurationReference {
    /// The whole page. Deterministic: the committed page must be equal to it.
    public static func markdown() -> String {
        ([introduction] + SettingKey.Theme.allCases.map(section) + [closing]).joined(separator: "\n")
    }

    private static func section(_ theme: SettingKey.Theme) -> String {
        var lines = [
            "## \(theme.rawValue)", "",
            "| key | default | meaning | value | read by | flag | environment | DataKit name |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for key in SettingKey.all where key.theme == theme { lines.append(row(key)) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(_ key: SettingKey) -> String {
        let datakit = key.datakitNames.map { "`\($0)`" }.joined(separator: ", ")
        let cells = [
            "`\(key.name)`", key.shownDefault, key.meaning, key.kind.expectation, key.process.rawValue,
            "`--\(key.flag)`", "`\(key.environmentName)`", datakit.isEmpty ? "–" : datakit,
        ]
        return "| " + cells.map(escaped).joined(separator: " | ") + " |"
    }

    private static func escaped(_ cell: String) -> String {
        String(cell.flatMap { $0 == "|" ? "\\|" : String($0) })
    }

    private static let introduction = """
        # Configuration

        <!-- Generated from the table of settings by `make docs`. Change Sources/Shared/Core/Config/SettingKey+Table.swift. -->

        Each setting has one key. It can be given, in this order of precedence, as

        1. a flag (the key with dashes),
        2. an environment variable (`EBPFTRACE_` and the key in capitals), then DataKit's own variables,
        3. a key of the settings file (`--config FILE`),
        4. the default.

        An empty variable counts as not set. An unknown key in the file, and an unknown `EBPFTRACE_` variable, end the
        start with exit code 78 and the nearest known name; so does a value of the wrong type or out of range.
        `ebpftrace-router check` prints every effective value, where it came from, and warnings; it hides tokens,
        passwords and header values.

        """

    private static let closing = """
        ## Forms of values

        - **Durations** are numbers with units: `20s`, `2m`, `1m30s`, `1.5s`, `500ms`, `250us`. A number alone is refused.
        - **Sizes**: `64MiB`, `16GiB` (powers of 1024), `500MB` (powers of 1000), or bytes.
        - **True and false**: `true`, `yes`, `on`, `1` and `false`, `no`, `off`, `0`. DataKit's variables follow
          DataKit's rule: everything is true but the empty text, `f`, `false`, `FALSE`, `False` and `0`.
        - **Lists**: repeat the flag; in a variable separate by commas or spaces, or write a list as in the file
          (`[…]`); in the file a list.
        - **Tags**: `a=b,c=d`, in the file also a map. `__datakit_hostname` or `$datakit_hostname` stands for the host
          name (`ENV_K8S_NODE_NAME` if set), `__datakit_ip` or `$datakit_ip` for its address (`HOST_IP` if set).

        ## Targets

        | text | map in the file | what it does |
        |---|---|---|
        | `file:PATH` | `{file: PATH}` | JSON lines in the directory PATH |
        | `stdout` | `{stdout: true}` | JSON lines on standard output |
        | `dataway:URL` | `{dataway: URL, token: TOKEN, gzip: true}` | POST to a Dataway or DataKit |
        | `otlp:URL` | `{otlp: URL, headers: {NAME: VALUE}}` | recognised; not available in this version |
        | `none` | – | finished traces are counted and not sent anywhere |

        Without a target, traces go to `file:DATA_DIR/traces`.

        ## Settings file

        YAML, one flat map:

        ```yaml
        listen: 0.0.0.0:9529
        workers: 2
        window: 20s
        sampling_rate: 0.1
        global_tags: {host: __datakit_hostname, region: north}
        target:
          - dataway: https://dataway.example.com
            token: tkn_0123456789
          - file:/var/lib/ebpftrace/traces
        ```

        A file that ends in `.conf` or `.toml` is read as DataKit's `ebpftrace.conf`: section `[[inputs.ebpftrace]]` or
        `[inputs.ebpftrace]` with `db_path`, `use_app_trace_id`, `window`, `sampling_rate` and
        `[inputs.ebpftrace.tags]`. Other keys there are ignored with a warning. Its tags are added to those of
        `ENV_GLOBAL_HOST_TAGS`; tags from a flag or `EBPFTRACE_GLOBAL_TAGS` replace both.

        ## DataKit variables without a key of their own

        | variable | effect |
        |---|---|
        | `ENV_K8S_NODE_NAME` | host name in tags |
        | `HOST_IP` | address in tags |
        | `ENV_DEFAULT_ENABLED_INPUTS` | recognised, no effect |

        Where both are set, `ENV_GLOBAL_HOST_TAGS` wins and `ENV_GLOBAL_TAGS` is ignored, as in DataKit. `ENV_DATAWAY` may
        hold several URLs, separated by commas or spaces. Other `ENV_INPUT_EBPFTRACE_…`, `ENV_DATAWAY_…` and
        `ENV_HTTP_…` variables are ignored with a warning.

        """
}
