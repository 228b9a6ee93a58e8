import Testing

@testable import Shared

@Suite("DataKit's variables and file")
struct ConfigDatakitTests {
    @Test("the shipped manifest is read as it is")
    func manifest() throws {
        let router = try ConfigCase(environment: [
            "HOST_IP": "192.168.0.7", "ENV_K8S_NODE_NAME": "node-a", "ENV_HTTP_LISTEN": "0.0.0.0:9529",
            "ENV_DATAWAY": "https://openway.example.com?token=tkn_1",
            "ENV_GLOBAL_TAGS": "host=__datakit_hostname,host_ip=__datakit_ip",
            "ENV_DEFAULT_ENABLED_INPUTS": "ebpftrace", "ENV_INPUT_EBPFTRACE_WINDOW": "20s",
            "ENV_INPUT_EBPFTRACE_SAMPLING_RATE": "0.25", "ENV_ENABLE_PPROF": "true",
            "ENV_PPROF_LISTEN": "0.0.0.0:6060", "ENV_CLUSTER_NAME_K8S": "blue", "ENV_LOG_LEVEL": "warn",
            "ENV_INPUT_EBPFTRACE_DB_PATH": "/data/db", "ENV_INPUT_EBPFTRACE_USE_APP_TRACE_ID": "false",
        ]).router()
        #expect(router.origin("listen") == "0.0.0.0:9529 < ENV_HTTP_LISTEN")
        #expect(router.origin("sampling_rate") == "0.25 < ENV_INPUT_EBPFTRACE_SAMPLING_RATE")
        #expect(router.origin("window") == "20s < ENV_INPUT_EBPFTRACE_WINDOW")
        #expect(router.origin("data_dir") == "/data/db < ENV_INPUT_EBPFTRACE_DB_PATH")
        #expect(router.origin("use_app_trace_id") == "false < ENV_INPUT_EBPFTRACE_USE_APP_TRACE_ID")
        #expect(
            router.origin("global_tags")
                == "host=node-a,host_ip=192.168.0.7,cluster_name_k8s=blue < ENV_GLOBAL_TAGS")
        #expect(router.origin("target") == "dataway:https://openway.example.com?token=(hidden) < ENV_DATAWAY")
        #expect(router.logLevel == .warning)
        #expect(router.origin("pprof_listen") == "0.0.0.0:6060 < ENV_PPROF_LISTEN")
        let notes = router.notices.map(\.description)
        #expect(notes.contains("note: ENV_DEFAULT_ENABLED_INPUTS (ebpftrace) is recognised and has no effect"))
        #expect(router.pprof == ListenAddress("0.0.0.0:6060"))
    }

    @Test("booleans of DataKit's variables follow DataKit's rule")
    func booleans() throws {
        for (text, value) in [("", false), ("f", false), ("0", false), ("False", false), ("no", true), ("x", true)] {
            let settings = ConfigCase(environment: ["ENV_INPUT_EBPFTRACE_USE_APP_TRACE_ID": text])
            #expect(try settings.router().linking.useApplicationTraceID == value, "\(text)")
        }
        let own = ConfigCase(environment: ["EBPFTRACE_USE_APP_TRACE_ID": "x"])
        #expect(try own.message().hasPrefix("use_app_trace_id = x (from EBPFTRACE_USE_APP_TRACE_ID)"))
    }

    @Test("several Dataways, separated by commas or spaces")
    func dataways() throws {
        let router = try ConfigCase(environment: [
            "ENV_DATAWAY": "https://a.example.com?token=t1, http://b.example.com:9528/base/?x=1&token=t2"
        ]).router()
        let targets = router.output.targets.compactMap { target -> DatawaySpec? in
            if case .dataway(let dataway) = target { dataway } else { nil }
        }
        #expect(
            targets.map { $0.address(path: "/v1/write/tracing") } == [
                "https://a.example.com/v1/write/tracing?token=t1",
                "http://b.example.com:9528/base/v1/write/tracing?token=t2&x=1",
            ])
        #expect(targets.map(\.gzip) == [true, true])
        let plain = try ConfigCase(
            environment: ["ENV_DATAWAY": "https://a.example.com?token=t1", "EBPFTRACE_TARGET_GZIP": "false"]).router()
        #expect(plain.output.targets.first?.description == "dataway:https://a.example.com?token=(hidden) (no gzip)")
    }

    @Test("host tags win over the older name, and say so")
    func hostTags() throws {
        let router = try ConfigCase(environment: [
            "ENV_GLOBAL_HOST_TAGS": "a=$datakit_hostname,b=__DATAKIT_IP,junk,c= d ,e=f=g", "ENV_GLOBAL_TAGS": "z=1",
        ]).router()
        #expect(
            router.output.globalTags == [
                GlobalTag(name: "a", value: "node-7"), GlobalTag(name: "b", value: "10.1.2.3"),
                GlobalTag(name: "c", value: "d"), GlobalTag(name: "e", value: "f=g"),
            ])
        let notes = router.notices.map(\.sentence)
        #expect(notes.contains("ENV_GLOBAL_TAGS is ignored because ENV_GLOBAL_HOST_TAGS is set, as DataKit does"))
        #expect(notes.contains("\"junk\" in ENV_GLOBAL_HOST_TAGS is not NAME=VALUE and is ignored, as DataKit does"))
    }

    @Test("a tag with an unknown address is left out")
    func unknownAddress() throws {
        let settings = ConfigCase(
            environment: ["EBPFTRACE_GLOBAL_TAGS": "ip=__datakit_ip,a=b"],
            host: HostFacts(name: "h", address: nil, isRoot: true))
        let router = try settings.router()
        #expect(router.output.globalTags == [GlobalTag(name: "a", value: "b")])
        #expect(
            router.notices.map(\.sentence).contains(
                "a global tag with __datakit_ip is left out: the address of this machine is not known"))
    }

    @Test("DataKit variables without a counterpart are named and ignored")
    func ignoredNames() throws {
        let router = try ConfigCase(environment: ["ENV_DATAWAY_TIMEOUT": "30s", "ENV_UNRELATED": "x"]).router()
        let notes = router.notices.map(\.sentence)
        #expect(notes.contains("ENV_DATAWAY_TIMEOUT is a DataKit setting that ebpftrace does not have; it is ignored"))
        #expect(!notes.contains { $0.contains("ENV_UNRELATED") })
    }

    @Test("an ebpftrace.conf is read, with [[…]] or […]", arguments: ["[[inputs.ebpftrace]]", "[inputs.ebpftrace]"])
    func datakitFile(header: String) throws {
        let router = try ConfigCase.toml(
            """
            \(header)
              db_path = "/usr/local/datakit/ebpf_spandb"
              use_app_trace_id = false
              window = "30s"
              sampling_rate = 0.05
              colour = "blue"
              [inputs.ebpftrace.tags]
                region = "north"
                host = "__datakit_hostname"
            """
        ).router()
        #expect(
            router.origin("data_dir") == "/usr/local/datakit/ebpf_spandb < ebpftrace.conf:inputs.ebpftrace.db_path")
        #expect(router.origin("use_app_trace_id") == "false < ebpftrace.conf:inputs.ebpftrace.use_app_trace_id")
        #expect(router.origin("window") == "30s < ebpftrace.conf:inputs.ebpftrace.window")
        #expect(router.origin("sampling_rate") == "0.05 < ebpftrace.conf:inputs.ebpftrace.sampling_rate")
        #expect(router.origin("global_tags") == "host=node-7,region=north < ebpftrace.conf:inputs.ebpftrace.tags")
        #expect(
            router.notices.map(\.sentence).contains(
                "ebpftrace.conf:inputs.ebpftrace.colour is not a setting of ebpftrace and is ignored"))
    }

    @Test("a DataKit file's tags join DataKit's global tags and give way to ours")
    func tagsJoin() throws {
        let text = "[[inputs.ebpftrace]]\n[inputs.ebpftrace.tags]\na = \"file\"\n"
        let joined = try ConfigCase.toml(text, environment: ["ENV_GLOBAL_HOST_TAGS": "a=env,b=env"]).router()
        #expect(
            joined.origin("global_tags")
                == "a=file,b=env < ebpftrace.conf:inputs.ebpftrace.tags + ENV_GLOBAL_HOST_TAGS")
        let ours = try ConfigCase.toml(text, environment: ["EBPFTRACE_GLOBAL_TAGS": "c=own"]).router()
        #expect(ours.origin("global_tags") == "c=own < EBPFTRACE_GLOBAL_TAGS")
    }

    @Test("odd DataKit files")
    func oddFiles() throws {
        let nanoseconds = try ConfigCase.toml("[[inputs.ebpftrace]]\nwindow = 5000000000\n").router()
        #expect(nanoseconds.linking.window == .seconds(5))
        let old = try ConfigCase.toml("[[inputs.ebpftrace]]\nsqlite_path = \"/old\"\n").router()
        #expect(old.dataDirectory == "/old")
        let two = try ConfigCase.toml(
            "[[inputs.ebpftrace]]\nwindow = \"5s\"\n[[inputs.ebpftrace]]\nwindow = \"6s\"\n"
        ).router()
        #expect(two.linking.window == .seconds(5))
        #expect(
            two.notices.map(\.sentence).contains(
                "ebpftrace.conf has 2 [[inputs.ebpftrace]] sections; the first counts"))
        #expect(
            try ConfigCase.toml("[[inputs.cpu]]\n").message()
                == "ebpftrace.conf has no [[inputs.ebpftrace]] section;"
                + " give DataKit's ebpftrace.conf, or settings as YAML")
        #expect(
            try ConfigCase.toml("[[inputs.ebpftrace]]\nwindow = \n").message()
                == "ebpftrace.conf is not valid TOML, line 2; correct its syntax")
        #expect(
            try ConfigCase.toml("[[inputs.ebpftrace]]\nsampling_rate = 2\n").message()
                == "sampling_rate = 2 (from ebpftrace.conf:inputs.ebpftrace.sampling_rate) cannot be used:"
                + " expected a number from 0 to 1")
    }
}
