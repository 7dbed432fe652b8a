import Foundation
import Testing

@testable import KVDiskTier

@Suite struct ActivityDamageTests {
  @Test func `any flipped byte is a file made anew or a slot less, never a wrong figure`() throws {
    let rig = try ActivityRig()
    rig.publisher().finish(1)
    let sleeper = try rig.sleeper()
    try rig.publisher(sleeper).publish(2)
    let whole = try rig.bytes()
    let right = try #require(rig.activity)
    var headerCount = 0
    var slotCount = 0
    let used = ActivityFormat.slotOffset(1)
    for offset in 0..<used {
      var bytes = whole
      bytes[offset] ^= 1 << UInt8(offset % 8)
      try rig.write(bytes)
      let seen = rig.activity
      if offset < ActivityFormat.headerByteCount {
        #expect(seen == nil, "byte \(offset)")
        headerCount += 1
      } else {
        #expect(seen?.total == ActivityRig.counters(1), "byte \(offset)")
        #expect(seen?.processes == [], "byte \(offset)")
        slotCount += 1
      }
    }
    #expect(headerCount == 1024 && slotCount == 256)
    try rig.write(whole)
    #expect(rig.activity == right)
  }

  @Test func `a file cut off anywhere, of noise or empty is made anew by the next who writes`() throws {
    let rig = try ActivityRig()
    let publisher = rig.publisher()
    publisher.publish(1)
    let whole = try rig.bytes()
    var noise = SystemRandomNumberGenerator()
    let files: [[UInt8]] =
      [0, 1, 8, 9, 500, 1023].map { Array(whole[..<$0]) } + [
        (0..<20_000).map { _ in .random(in: 0...255, using: &noise) }, Array(repeating: 0, count: 17_408),
      ]
    for bytes in files {
      try rig.write(bytes)
      #expect(rig.activity == nil, "\(bytes.count) bytes")
      publisher.publish(7)
      let activity = try #require(rig.activity, "\(bytes.count) bytes")
      #expect(activity.total == ActivityRig.counters(7))
      #expect(activity.processes.count == 1)
    }
    // Cut off behind the header: it shows what is left, and goes on.
    try rig.write(Array(whole[..<1100]))
    #expect(rig.activity?.processes == [])
    unlink(rig.path)
    publisher.publish(8)
    publisher.finish(9)
    #expect(try #require(rig.activity).total == ActivityRig.counters(9))
  }

  @Test func `a copy's file tells nothing of the copy and is made anew there`() throws {
    let rig = try ActivityRig()
    let copy = try ActivityRig()
    rig.publisher().publish(1)
    try copy.write(rig.bytes())
    #expect(copy.activity == nil)
    copy.publisher().publish(2)
    #expect(try #require(copy.activity).total == ActivityRig.counters(2))
    #expect(try #require(rig.activity).total == ActivityRig.counters(1))
  }

  @Test func `another store in the place of one that is in use keeps its file`() throws {
    let rig = try ActivityRig()
    let moved = rig.publisher()
    moved.publish(1)
    let data = "\(rig.directory.path)/data.mdb"
    rename(data, "\(data).old")
    try Data("other".utf8).write(to: URL(fileURLWithPath: data))
    unlink(rig.path)
    let other = rig.publisher(storeID: [UInt8](repeating: 9, count: 16))
    other.publish(2)
    moved.publish(3)
    moved.finish(3)
    #expect(try #require(rig.activity).total == ActivityRig.counters(2))
  }

  @Test func `a newer kvpager's file is left alone`() throws {
    let rig = try ActivityRig()
    let publisher = rig.publisher()
    publisher.publish(1)
    var bytes = try rig.bytes()
    bytes[8] = 2
    try rig.write(bytes)
    publisher.publish(2)
    publisher.finish(2)
    #expect(try rig.bytes() == bytes)
    #expect(rig.activity == nil)
  }

  @Test(arguments: ["a folder", "a pipe", "a link", "a file that may not be written"])
  func `what is no file of ours hinders nobody`(kind: String) throws {
    let rig = try ActivityRig()
    let elsewhere = "\(rig.directory.path)/elsewhere"
    try Data("precious".utf8).write(to: URL(fileURLWithPath: elsewhere))
    switch kind {
    case "a folder": mkdir(rig.path, 0o755)
    case "a pipe": mkfifo(rig.path, 0o644)
    case "a link": symlink(elsewhere, rig.path)
    default:
      try rig.write([])
      chmod(rig.path, 0)
    }
    // Root may write whatever it is.
    let mayWrite = kind.contains("may not") && geteuid() == 0
    let publisher = rig.publisher()
    publisher.publish(1)
    publisher.finish(2)
    #expect((rig.activity != nil) == mayWrite)
    #expect(try String(contentsOfFile: elsewhere, encoding: .utf8) == "precious")
    if kind == "a folder" { rmdir(rig.path) }
  }

  @Test func `a lock that somebody keeps makes nobody wait for long`() throws {
    let rig = try ActivityRig()
    rig.publisher().finish(1)
    let descriptor = open(rig.path, O_RDWR | O_CLOEXEC)
    defer { close(descriptor) }
    #expect(flock(descriptor, LOCK_EX) == 0)
    let publisher = rig.publisher()
    publisher.publish(2)
    // Readers take no lock.
    #expect(try #require(rig.activity).total == ActivityRig.counters(1))
    #expect(flock(descriptor, LOCK_UN) == 0)
    publisher.publish(3)
    #expect(try #require(rig.activity).processes.map(\.counters) == [ActivityRig.counters(3)])
  }
}
