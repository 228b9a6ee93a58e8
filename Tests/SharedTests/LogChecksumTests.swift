import CIntrinsics
import Testing

@testable import Shared

@Suite struct LogChecksumTests {
    private func crc(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { Checksum.of($0) } }

    @Test func checksumsAreThoseOfRFC3720() {
        #expect(crc([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(crc([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(crc((0..<32).map { UInt8($0) }) == 0x46dd_794e)
        #expect(crc((0..<32).reversed().map { UInt8($0) }) == 0x113f_db5c)
        #expect(crc(Array("123456789".utf8)) == 0xe306_9283)
        #expect(crc([]) == 0)
    }

    @Test func thePortablePathEqualsTheInstruction() {
        var dice = LogDice(seed: 1)
        let bytes = dice.bytes(13_000)
        // Up to four rounds of three strands of 1024 bytes, with every length of the rest.
        let borders = (1...4).flatMap { $0 * 3_072 - 9...$0 * 3_072 + 9 }
        for count in Array(0..<200) + [1_000, 1_024, 2_048, 4_096, 8_000] + borders {
            for start in 0..<8 {
                bytes.withUnsafeBytes { all in
                    let part = UnsafeRawBufferPointer(rebasing: all[start..<start + count])
                    #expect(
                        ebpftrace_crc32c(7, part.baseAddress, count)
                            == ebpftrace_crc32c_portable(7, part.baseAddress, count))
                }
            }
        }
    }

    @Test func aChecksumGoesOnOverParts() {
        var dice = LogDice(seed: 2)
        let bytes = dice.bytes(1_000)
        bytes.withUnsafeBytes { all in
            let head = UnsafeRawBufferPointer(rebasing: all[..<333])
            let tail = UnsafeRawBufferPointer(rebasing: all[333...])
            #expect(Checksum.of(tail, from: Checksum.of(head)) == Checksum.of(all))
        }
    }
}
