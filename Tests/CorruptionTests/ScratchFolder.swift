import Foundation

/// A folder of one test's own, gone with the value; in memory where the system has room for files there, since nothing
/// here is about disks.
final class ScratchFolder: Sendable {
  let path: String

  init() {
    let shared = "/dev/shm"
    let base = FileManager.default.isWritableFile(atPath: shared) ? shared : FileManager.default.temporaryDirectory.path
    path = "\(base)/kvpager-corruption-\(UUID().uuidString)"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Lays a store of these bytes into a folder of its own.
  func store(_ bytes: [UInt8], named name: String = "store") throws -> String {
    let folder = "\(path)/\(name)"
    try? FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/data.mdb"))
    return folder
  }
}

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
