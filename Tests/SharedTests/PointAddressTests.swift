import Linking
import Testing

@testable import Shared

@Suite struct PointAddressTests {
    private func end(_ text: String, port: UInt16 = 80) -> FlowEnd {
        Array(text.utf8).withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return FlowEnd(ipv4: 0, port: 0) }
            return PointText.flowEnd(base, 0, bytes.count, port: port)
        }
    }

    @Test(arguments: [
        ("10.244.0.1", "::ffff:10.244.0.1"), ("10.244.0.1", "::ffff:0af4:0001"), ("::1", "0:0:0:0:0:0:0:1"),
        ("fe80::1%eth0", "fe80::1"), ("2001:DB8::a", "2001:db8:0:0:0:0:0:a"), ("::", "0:0:0:0:0:0:0:0"),
        ("1::", "1:0:0:0:0:0:0:0"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
    ])
    func `texts of one address are one end`(left: String, right: String) {
        #expect(end(left) == end(right))
        #expect(end(left) != end(right, port: 81))
    }

    @Test(arguments: [
        "10.244.0", "256.0.0.1", "1.2.3.4.5", "1..2.3", "1.2.3.", "00000000001.2.3", ":", ":::", "1::2::3", "1:2",
        "1:2:3:4:5:6:7:8:9", "12345::", "g::", "::1.2.3", "db.local", "1:2:3:4:5:6:7:", "4294967297.0.0.1",
    ])
    func `what is no address is a name`(text: String) {
        let name = Array(text.utf8).withUnsafeBytes { FlowEnd(name: $0, port: 80) }
        #expect(end(text) == name)
    }

    @Test(arguments: [("0", 0), ("18446744073709551615", UInt64.max), ("-1", .max), ("007", 7),
        ("-9223372036854775808", 1 << 63), ("999999999999999999", 999_999_999_999_999_999)] as [(String, UInt64)])
    func `decimal texts`(text: String, value: UInt64) {
        Array(text.utf8).withUnsafeBytes { bytes in
            #expect(bytes.baseAddress.flatMap { PointText.decimal($0, 0, bytes.count) } == value)
        }
    }

    @Test(arguments: ["", "-", "1.0", "18446744073709551616", "-9223372036854775809", "+1", "12a", " 1"])
    func `texts that are no number`(text: String) {
        Array((text + "!").utf8).withUnsafeBytes { bytes in
            #expect(bytes.baseAddress.flatMap { PointText.decimal($0, 0, bytes.count - 1) } == nil)
        }
    }
}
