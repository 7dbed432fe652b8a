import Foundation
import Testing

@testable import KVDiskTier

/// A file that is whole, as it was some commits ago and as it is: what every trial starts from.
private func makePair(_ directory: String) throws {
  let fixture = try GuardFixture(seed: 11)
  try fixture.makeTables()
  for _ in 0..<30 { try fixture.churn(operationCount: 250, liveCount: 1_200, extentCount: 25) }
  try FileManager.default.copyItem(atPath: fixture.directory.dataFile, toPath: directory + "/older")
  for _ in 0..<10 { try fixture.churn(operationCount: 120, liveCount: 1_200, extentCount: 25) }
  try FileManager.default.copyItem(atPath: fixture.directory.dataFile, toPath: directory + "/whole")
}

func fileBytes(_ path: String) -> [UInt8] { FileManager.default.contents(atPath: path).map(Array.init) ?? [] }

private func write(_ bytes: [UInt8], to directory: String) throws {
  try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  try Data(bytes).write(to: URL(fileURLWithPath: directory + "/data.mdb"))
}

/// Runs in a child process: damages the file as each of `seeds` says and uses it through LMDB.
private func useDamaged(_ directory: String, _ damage: GuardDamage, seeds: [UInt64], writing: Bool) throws {
  let map = GuardFileMap(fileBytes(directory + "/whole"))
  let older = fileBytes(directory + "/older")
  let trial = directory + "/child-\(damage)-\(writing)"
  for seed in seeds {
    // The last line before a crash names the seed.
    FileHandle.standardError.write(Data("\(damage) \(seed)\n".utf8))
    try write(damage.apply(to: map, older: older, seed: seed), to: trial)
    if writing { GuardUse.readThenWrite(trial) } else { GuardUse.read(trial) }
  }
}

@Suite(.serialized) struct `the guard on damaged files` {
  @Test(arguments: GuardDamage.allCases)
  func `LMDB survives every damaged file that the guard accepts`(damage: GuardDamage) async throws {
    let scratch = ScratchDirectory()
    let directory = scratch.path
    try makePair(directory)
    let map = GuardFileMap(fileBytes(directory + "/whole"))
    let older = fileBytes(directory + "/older")
    #expect(try !LMDBFileGuard.inspect(path: directory + "/whole").isDeep)
    #expect(map.treePages.count > 100 && map.freelistPages.count > 1 && map.runPages.count > 15)

    let trialCount = isLongRun ? 250 : 40
    var accepted: [UInt64] = []
    var acceptedDeep: [UInt64] = []
    for seed in 0..<UInt64(trialCount) {
      try write(damage.apply(to: map, older: older, seed: seed), to: directory + "/trial")
      if (try? LMDBFileGuard.check(path: directory + "/trial")) != nil { accepted.append(seed) }
      if (try? LMDBFileGuard.inspect(path: directory + "/trial", deep: true))?.isTrustworthy == true {
        acceptedDeep.append(seed)
      }
    }
    print(
      "\(damage): \(trialCount) damaged, \(trialCount - accepted.count) refused, "
        + "deep \(trialCount - acceptedDeep.count)"
    )
    #expect(Set(acceptedDeep).isSubset(of: accepted))
    let (reading, writing) = (accepted, acceptedDeep)
    if !reading.isEmpty {
      await #expect(processExitsWith: .success) {
        [directory = directory as String, damage = damage as GuardDamage, reading = reading as [UInt64]] in
        try useDamaged(directory, damage, seeds: reading, writing: false)
      }
    }
    if !writing.isEmpty {
      await #expect(processExitsWith: .success) {
        [directory = directory as String, damage = damage as GuardDamage, writing = writing as [UInt64]] in
        try useDamaged(directory, damage, seeds: writing, writing: true)
      }
    }
  }

  @Test func `without the guard a truncated file kills the process`() async throws {
    let scratch = ScratchDirectory()
    let directory = scratch.path
    try makePair(directory)
    let bytes = fileBytes(directory + "/whole")
    try write(Array(bytes.prefix(bytes.count / 3)), to: directory + "/cut")
    #expect(refusal(directory + "/cut") == .damaged)
    await #expect(processExitsWith: .failure) { [directory = directory as String] in
      GuardUse.read(directory + "/cut")
    }
  }
}
