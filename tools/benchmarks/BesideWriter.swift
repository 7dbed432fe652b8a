import Foundation
import KVBlocks
import KVPager

/// `kvpager-bench beside DIR KVPAGER`: a writer at full speed under a quota, by turns alone and with the inspector's
/// commands run one after the other beside it. What it writes in each turn, and how large the file is after it.
enum BesideWriter {
  private static let turnSeconds = 6.0
  private static let turnCount = 20
  private static let commands = [["info"], ["stats"], ["sessions"], ["tree"], ["blocks"], ["verify"]]

  static func run(_ arguments: [String]) throws {
    guard arguments.count == 2 else {
      print("usage: kvpager-bench beside DIR KVPAGER")
      return
    }
    var configuration = StoreConfiguration()
    configuration.diskQuotaBytes = 1 << 30
    let store = try Store(at: arguments[0], configuration: configuration)
    let layout = try BlockLayout(
      blockTokenCount: 64,
      planes: (0..<32).flatMap { layer in
        [Plane.Kind.keys, .values].map { PlaneLayout(Plane($0, layer: layer), elementType: .bf16, rowByteCount: 512) }
      })
    let space = try store.cacheSpace(for: ModelFingerprint(model: "beside"), layout: layout)
    let noise = (0..<layout.frameByteCount).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
    var number = 0
    // To the quota and some turnovers beyond: a file that grows then does so for another reason.
    while number < 1500 { try write(&number, space, noise) }
    var rates: [[Double]] = [[], []]
    var largest = [0, 0]
    for turn in 0..<turnCount {
      let isBeside = turn % 2 == 1
      let inspector = isBeside ? Inspector(store: arguments[0], program: arguments[1]) : nil
      let (started, first) = (ContinuousClock.now, number)
      while (ContinuousClock.now - started) / .seconds(1) < turnSeconds { try write(&number, space, noise) }
      let seconds = (ContinuousClock.now - started) / .seconds(1)
      inspector?.stop()
      let bytes = Double((number - first) * layout.payloadByteCount(tokenCount: 64 * 4))
      rates[isBeside ? 1 : 0].append(bytes / seconds / 1e6)
      let file = try FileManager.default.attributesOfItem(atPath: arguments[0] + "/data.mdb")[.size] as? Int ?? 0
      largest[isBeside ? 1 : 0] = max(largest[isBeside ? 1 : 0], file)
      let name = Text.padded(isBeside ? "with an inspector" : "alone", 18)
      print("  \(name)\(Text.leading(Text.fixed(rates[isBeside ? 1 : 0].last!, 1), 8)) MB/s, file \(file >> 20) MiB")
      fflush(nil)
    }
    let medians = rates.map { $0.sorted()[$0.count / 2] }
    print(
      "median alone \(Text.fixed(medians[0], 1)) MB/s, beside \(Text.fixed(medians[1], 1)) MB/s: "
        + "\(Text.fixed(100 * (1 - medians[1] / medians[0]), 1)) % slower; "
        + "largest file \(largest[0] >> 20) and \(largest[1] >> 20) MiB")
    try store.close()
  }

  /// Four blocks of a new prompt, committed with its session, which then becomes cache.
  private static func write(_ number: inout Int, _ space: CacheSpace, _ noise: [UInt8]) throws {
    number += 1
    let first = number * 256
    let session = try space.createSession(named: "s\(number)")
    try session.append((first..<first + 256).map { Token(truncatingIfNeeded: $0) }) { writer in
      for plane in writer.layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) { rows in
          noise.withUnsafeBytes {
            rows.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[plane * 7..<plane * 7 + rows.count]))
          }
        }
      }
    }
    try session.commit()
    if number > 40 { try space.deleteSession(named: "s\(number - 40)") }
  }

  /// The commands, one after the other, until it is stopped.
  private final class Inspector: @unchecked Sendable {  // because: `isStopping` is set once, under the lock
    private let lock = NSLock()
    private var isStopping = false
    private let ended = DispatchSemaphore(value: 0)

    init(store: String, program: String) {
      Thread.detachNewThread { [self] in
        var turn = 0
        while !lock.withLock({ isStopping }) {
          let process = Process()
          process.executableURL = URL(fileURLWithPath: program)
          process.arguments = BesideWriter.commands[turn % BesideWriter.commands.count] + ["--store", store]
          process.standardOutput = FileHandle.nullDevice
          guard (try? process.run()) != nil else { break }
          process.waitUntilExit()
          turn += 1
        }
        ended.signal()
      }
    }

    func stop() {
      lock.withLock { isStopping = true }
      ended.wait()
    }
  }
}
