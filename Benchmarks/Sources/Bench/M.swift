import LoadModel
import Glibc
@main struct M { static func main() {
var settings = LoadSettings()
settings.profile = CommandLine.arguments.contains("cluster") ? .cluster : .plain
var bytes = 0
var bodies = 0
let generator = LoadGenerator(settings: settings, makeBuffer: { BodyBuffer(capacity: 400_000) })
let clock = ContinuousClock()
let took = clock.measure {
    func emit(_ b: BodyBuffer) {
        if bodies == 3 { let f = fopen("/tmp/body.pb", "w"); fwrite(b.bytes, 1, b.count, f); fclose(f) }
        bytes += b.count; bodies += 1 }
    while generator.step(emit) {}
    generator.finish(emit)
}
print(took, bytes / generator.truth.count, bodies, Double(generator.truth.count) / Double(generator.truth.traceCount))
print(Set(generator.truth.identities).count, generator.truth.count)

}}
