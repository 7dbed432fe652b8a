import Foundation

@testable import KVDiskTier

/// A store's folder with what the file `activity` needs of it, and processes that publish: real ones, which a test can
/// end, with this process's hand.
final class ActivityRig {
  let directory = StoreDirectory()
  private(set) var sleepers: [Process] = []

  init() throws {
    try Data("data".utf8).write(to: URL(fileURLWithPath: "\(directory.path)/data.mdb"))
  }

  deinit { for sleeper in sleepers { kill(sleeper) } }

  static let storeID = [UInt8](repeating: 7, count: 16)
  var path: String { "\(directory.path)/activity" }
  var activity: StoreActivity? { StoreActivity.read(directory: directory.path) }

  func bytes() throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }
  func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

  /// A process that does nothing until it is killed.
  func sleeper() throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sleep")
    process.arguments = ["600"]
    try process.run()
    sleepers.append(process)
    return process
  }

  func kill(_ process: Process) {
    guard process.isRunning else { return }
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// An opening of the store in the name of `process`.
  func publisher(_ process: Process, storeID: [UInt8] = storeID) throws -> ActivityPublisher {
    let identity = ProcessIdentity(runningAs: process.processIdentifier)
    return publisher(identity ?? ProcessIdentity(processID: process.processIdentifier, startMark: 1), storeID: storeID)
  }

  func publisher(
    _ identity: ProcessIdentity = .current, name: String = "sleeper", storeID: [UInt8] = storeID
  ) -> ActivityPublisher {
    ActivityPublisher(directory: directory.path, storeID: storeID) {
      ActivityPublisher.Opening(identity: identity, name: name, isReadOnly: true, quotaBytes: 1 << 30)
    }
  }

  static func counters(_ number: UInt64) -> StoreActivity.Counters {
    var counters = StoreActivity.Counters()
    for (index, field) in StoreActivity.Counters.fields.enumerated() {
      counters[keyPath: field.path] = number * 100 + UInt64(index)
    }
    return counters
  }

  static let usage: StoreActivity.Usage = {
    var usage = StoreActivity.Usage()
    usage.memoryBytes = 5 << 20
    usage.memoryBudgetBytes = 8 << 20
    usage.residentBlocks = 30
    usage.pinnedBlocks = 20
    usage.dirtyBlocks = 10
    return usage
  }()
}

extension ActivityPublisher {
  func publish(_ number: UInt64) { publish(ActivityRig.counters(number), ActivityRig.usage) }
  func finish(_ number: UInt64) { finish(ActivityRig.counters(number)) }
}
