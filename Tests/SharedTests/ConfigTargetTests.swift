import Testing

@testable import Shared

@Suite("Targets")
struct ConfigTargetTests {
    @Test("texts and maps of a YAML list give the same targets as flags")
    func forms() throws {
        let file = try ConfigCase.yaml(
            """
            target:
              - file:/srv/out
              - stdout
              - {file: /srv/more}
              - stdout: true
              - dataway: https://d.example.com/
                token: tkn_secret
                gzip: false
              - dataway:https://e.example.com?token=tkn_other
              - otlp: http://c.example.com:4318
                headers: {api-key: s3cret, x: y}
            """
        ).router().output.targets
        #expect(
            file.map(\.description) == [
                "file:/srv/out", "stdout", "file:/srv/more", "stdout",
                "dataway:https://d.example.com?token=(hidden) (no gzip)",
                "dataway:https://e.example.com?token=(hidden)",
                "otlp:http://c.example.com:4318 api-key: (hidden), x: (hidden)",
            ])
        guard case .dataway(let dataway) = file[4] else { return #expect(Bool(false)) }
        #expect(dataway.address(path: "/v1") == "https://d.example.com/v1?token=tkn_secret")
        let flags = try ConfigCase(arguments: [
            "--target", "file:/srv/out", "--target", "stdout", "--target",
            "dataway:https://e.example.com?token=tkn_other",
        ]).router().output.targets
        #expect(flags == [file[0], file[1], file[5]])
        let variable = try ConfigCase(environment: [
            "EBPFTRACE_TARGET": "file:/srv/out, stdout dataway:https://e.example.com?token=tkn_other"
        ]).router().output.targets
        #expect(variable == flags)
        let list = try ConfigCase(environment: [
            "EBPFTRACE_TARGET": "[\"file:/srv/a b,c\", {\"stdout\": true}]"
        ]).router().output.targets
        #expect(list == [.file(path: "/srv/a b,c"), .standardOutput])
        #expect(try ConfigCase.yaml("target: stdout").router().output.targets == [.standardOutput])
    }

    @Test("none sends nowhere and stands alone")
    func none() throws {
        let router = try ConfigCase(arguments: ["--target", "none"]).router()
        #expect(router.output.targets.isEmpty)
        #expect(router.origin("target") == "none < --target")
        #expect(try ConfigCase.yaml("target: none").router().output.targets.isEmpty)
        #expect(
            try ConfigCase(arguments: ["--target", "none", "--target", "stdout"]).message()
                == "target = [none, stdout] (from --target) cannot be used: none cannot stand beside other targets;"
                + " expected file:PATH, stdout, dataway:URL, otlp:URL or none")
    }

    @Test(
        "a bad target says why",
        arguments: [
            ("target: kafka:a", "\"kafka:a\" names no kind of target"),
            ("target: 'file:'", "file: needs a path"),
            ("target: dataway:ftp://h", "\"ftp://h\" is not an http:// or https:// address"),
            ("target: dataway:https://", "\"https://\" is not an http:// or https:// address"),
            (
                "target: [{dataway: 'https://h', tokn: x}]",
                "a dataway target has no \"tokn\"; the nearest known key is \"token\""
            ),
            ("target: [{file: a, stdout: true}]", "a target map holds exactly one of dataway, file, otlp, stdout"),
            ("target: [{dataway: 'https://h', gzip: perhaps}]", "\"gzip\" of a target must be true or false"),
            ("target: [{otlp: 'https://h', headers: x}]", "\"headers\" of a target must be a map"),
            (
                "target: [{otlp: 'https://h', headers: {'a b': x}}]",
                "\"a b\" in \"headers\" of a target is no name of an HTTP header"
            ),
            (
                "target: [{otlp: 'https://h', headers: {a: \"x\\ny\"}}]",
                "the value of \"a\" in \"headers\" of a target holds a control character"
            ),
            (
                "target: [{otlp: 'https://h', compression: lz4}]",
                "\"compression\" of a target must be one of none, gzip, zstd"
            ),
            ("target: [{otlp: 'https://h', fields: some}]", "\"fields\" of a target must be one of none, link, all"),
            ("target: [[stdout]]", "a target is one text or one map, not a list within the list"),
        ])
    func badTargets(text: String, reason: String) throws {
        let message = try ConfigCase.yaml(text).message()
        #expect(message.hasPrefix("target = "))
        #expect(
            message.hasSuffix(
                "(from e.yaml:target) cannot be used: \(reason);"
                    + " expected file:PATH, stdout, dataway:URL, otlp:URL or none"))
    }

    @Test("an OTLP target takes headers, a compression and which fields it sends; workers get the same")
    func otlp() throws {
        let router = try ConfigCase.yaml(
            """
            target:
              - otlp: https://c.example.com/otlp/traces?key=s3cret
                headers: {authorization: Bearer s3cret}
                compression: zstd
                fields: link
              - otlp:http://h:4318
            """
        ).router()
        let expected = [
            TargetSpec.otlp(
                OTLPSpec(
                    url: Secret("https://c.example.com/otlp/traces?key=s3cret"),
                    headers: [OTLPSpec.Header(name: "authorization", value: Secret("Bearer s3cret"))],
                    compression: .zstd, fields: .link)),
            .otlp(OTLPSpec(url: Secret("http://h:4318"))),
        ]
        #expect(router.output.targets == expected)
        #expect(!router.output.targets.map(\.description).joined().contains("s3cret"))
        #expect(router.output.targets[0].description.hasSuffix("authorization: (hidden) (zstd) (fields: link)"))
        var environment = router.workerEnvironment(routers: ["http://127.0.0.1:9531"])
        environment["EBPFTRACE_ORDINAL"] = "0"
        environment["EBPFTRACE_WORKERS"] = nil
        #expect(environment["EBPFTRACE_TARGET"]?.contains("zstd") == true)
        let again = try ConfigCase(environment: ["EBPFTRACE_TARGET": environment["EBPFTRACE_TARGET"] ?? ""]).router()
        #expect(again.output.targets == expected)
    }
}
