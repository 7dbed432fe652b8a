import Foundation
import Testing

@testable import KVDiskTier

private func sum(_ numbers: [UInt64]) -> StoreActivity.Counters {
  numbers.map(ActivityRig.counters).reduce(StoreActivity.Counters(), +)
}

@Suite struct ActivityFileTests {
  @Test func `an opening is shown with all that it tells`() throws {
    let rig = try ActivityRig()
    #expect(rig.activity == nil)
    let sleeper = try rig.sleeper()
    let publisher = try rig.publisher(sleeper)
    publisher.publish(1)
    publisher.publish(3)
    let activity = try #require(rig.activity)
    #expect(activity.total == ActivityRig.counters(3))
    #expect(activity.endedCount == 0)
    let process = try #require(activity.processes.first)
    #expect(activity.processes.count == 1)
    #expect(process.processID == sleeper.processIdentifier)
    #expect(process.name == "sleeper")
    #expect(process.isAlive && process.isReadOnly)
    #expect(process.quotaBytes == 1 << 30)
    #expect(process.usage == ActivityRig.usage)
    #expect(process.counters == ActivityRig.counters(3))
    #expect(process.startedMicroseconds <= process.updatedMicroseconds)
    #expect(activity.sinceMicroseconds <= process.updatedMicroseconds)
  }

  @Test func `what an opening did stays when it ends, once however often it says so`() throws {
    let rig = try ActivityRig()
    let publisher = rig.publisher()
    publisher.publish(1)
    publisher.finish(4)
    publisher.finish(5)
    publisher.publish(6)
    let activity = try #require(rig.activity)
    #expect(activity.total == ActivityRig.counters(4))
    #expect(activity.endedCount == 1)
    #expect(activity.processes.isEmpty)
  }

  @Test func `an opening that never told of itself is counted at its end`() throws {
    let rig = try ActivityRig()
    rig.publisher().finish(2)
    let activity = try #require(rig.activity)
    #expect(activity.total == ActivityRig.counters(2))
    #expect(activity.endedCount == 1)
  }

  @Test func `a killed process's last figures are kept and settled once by whoever comes next`() throws {
    let rig = try ActivityRig()
    let sleepers = try (0..<5).map { _ in try rig.sleeper() }
    let publishers = try sleepers.map { try rig.publisher($0) }
    for (number, publisher) in publishers.enumerated() { publisher.publish(UInt64(number)) }
    for sleeper in sleepers[..<3] { rig.kill(sleeper) }
    var activity = try #require(rig.activity)
    #expect(activity.total == sum([0, 1, 2, 3, 4]))
    #expect(activity.processes.map(\.isAlive) == [false, false, false, true, true])
    // Openers that come and go, one settling what the dead left and the others finding nothing left to settle.
    for number in 10..<14 as Range<UInt64> {
      let publisher = rig.publisher()
      publisher.publish(number)
      publisher.finish(number)
    }
    activity = try #require(rig.activity)
    #expect(activity.total == sum([0, 1, 2, 3, 4, 10, 11, 12, 13]))
    #expect(activity.endedCount == 7)
    #expect(activity.processes.map(\.processID) == sleepers[3...].map(\.processIdentifier))
  }

  @Test func `a number that another process has now is not the process that told`() throws {
    let rig = try ActivityRig()
    let sleeper = try rig.sleeper()
    let now = try #require(ProcessIdentity(runningAs: sleeper.processIdentifier))
    #expect(now.isAlive)
    let earlier = ProcessIdentity(processID: now.processID, startMark: now.startMark ^ 1)
    #expect(!earlier.isAlive)
    rig.publisher(earlier).publish(1)
    #expect(try #require(rig.activity).processes.map(\.isAlive) == [false])
    rig.publisher(now).publish(2)
    let activity = try #require(rig.activity)
    #expect(activity.processes.map(\.isAlive) == [true])
    #expect(activity.endedCount == 1)
    #expect(activity.total == sum([1, 2]))
  }

  @Test func `of 70 processes 64 are shown, and all are counted when they end`() throws {
    let rig = try ActivityRig()
    let publishers = try (0..<70).map { _ in try rig.publisher(rig.sleeper()) }
    for (number, publisher) in publishers.enumerated() { publisher.publish(UInt64(number)) }
    var activity = try #require(rig.activity)
    #expect(activity.processes.count == ActivityFormat.slotCount)
    #expect(activity.total == sum((0..<64).map { UInt64($0) }))
    #expect(try rig.bytes().count == ActivityFormat.fileByteCount)
    // Room for one: the next that looks for it takes it.
    publishers[5].finish(5)
    for _ in 0..<64 { publishers[69].publish(69) }
    activity = try #require(rig.activity)
    #expect(activity.processes.count == ActivityFormat.slotCount)
    #expect(activity.processes.last?.counters == ActivityRig.counters(69))
    for (number, publisher) in publishers.enumerated() { publisher.finish(UInt64(number)) }
    activity = try #require(rig.activity)
    #expect(activity.processes.isEmpty)
    #expect(activity.endedCount == 70)
    #expect(activity.total == sum((0..<70).map { UInt64($0) }))
    #expect(try rig.bytes().count == ActivityFormat.fileByteCount)
  }

  @Test func `a process that was taken for dead counts nothing twice`() throws {
    let rig = try ActivityRig()
    // Not to be seen from here, as in another container.
    let hidden = rig.publisher(ProcessIdentity(processID: .max, startMark: 1))
    hidden.publish(3)
    let other = rig.publisher()
    other.publish(1)
    #expect(try #require(rig.activity).endedCount == 1)
    hidden.publish(5)
    var activity = try #require(rig.activity)
    #expect(activity.total == sum([5, 1]))
    #expect(activity.processes.count == 2)
    hidden.finish(8)
    other.finish(1)
    activity = try #require(rig.activity)
    #expect(activity.total == sum([8, 1]))
  }

  @Test func `whoever writes the header half or the slot half, nothing is lost or doubled`() throws {
    let rig = try ActivityRig()
    let dead = try rig.sleeper()
    try rig.publisher(dead).publish(3)
    rig.kill(dead)
    let before = try rig.bytes()
    rig.publisher().publish(1)
    let after = try rig.bytes()
    let header = ActivityFormat.headerByteCount
    // Killed between the two writes: the header is new, the slots are old.
    try rig.write(Array(after[..<header] + before[header...]))
    #expect(try #require(rig.activity).total == ActivityRig.counters(3))
    let next = rig.publisher()
    next.publish(2)
    #expect(try #require(rig.activity).total == sum([3, 2]))
    next.finish(2)
    let activity = try #require(rig.activity)
    #expect(activity.total == sum([3, 2]))
    #expect(activity.processes.isEmpty)
  }
}
