#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The file `activity`, open. Read and written by system calls, never mapped, so that no change of its length can hurt.
struct ActivityFile: ~Copyable {
  static let name = "activity"

  private let descriptor: Int32

  static func path(in directory: String) -> String { "\(directory)/\(name)" }

  /// The inode of a store's data file, nil where there is none.
  static func dataInode(in directory: String) -> UInt64? {
    var status = stat()
    guard stat(directory + "/data.mdb", &status) == 0 else { return nil }
    return UInt64(truncatingIfNeeded: status.st_ino)
  }

  /// Opens the file for reading; nil where there is none that could be one.
  static func reading(in directory: String) -> ActivityFile? {
    descriptor(directory, flags: O_RDONLY, mode: 0).map { ActivityFile(descriptor: $0) }
  }

  /// Opens or makes the file and locks it against all who write to it. Nil where that is not to be had at once: a
  /// process that was stopped may hold the lock for ever.
  /// - Parameter patienceMilliseconds: for whom else writes now.
  static func writing(in directory: String, patienceMilliseconds: Int) -> ActivityFile? {
    var status = stat()
    guard stat(directory + "/data.mdb", &status) == 0,
      // Whoever may write the store may write this.
      let descriptor = descriptor(directory, flags: O_RDWR | O_CREAT, mode: status.st_mode & 0o666)
    else { return nil }
    let file = ActivityFile(descriptor: descriptor)
    var attemptsLeft = patienceMilliseconds
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR, attemptsLeft > 0 else { return nil }
      attemptsLeft -= 1
      usleep(1000)
    }
    return file
  }

  private init(descriptor: Int32) { self.descriptor = descriptor }

  private static func descriptor(_ directory: String, flags: Int32, mode: mode_t) -> Int32? {
    // Not through a link to elsewhere, and never waiting for a pipe's other end.
    let descriptor = open(path(in: directory), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode)
    guard descriptor >= 0 else { return nil }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  // Closing lets go of the lock too.
  deinit { close(descriptor) }

  /// The bytes in `range`, fewer where the file ends.
  func bytes(_ range: Range<Int>) -> ArraySlice<UInt8> {
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      count = max(0, pread(descriptor, buffer.baseAddress, buffer.count, off_t(range.lowerBound)))
    }
    return bytes[...]
  }

  func header() -> ActivityHeader.Reading { ActivityHeader.decode(bytes(0..<ActivityFormat.headerByteCount)) }

  /// A slot whoever has it; nil where there is no whole one.
  func slot(_ index: Int) -> ActivitySlot? {
    let offset = ActivityFormat.slotOffset(index)
    return .decode(bytes(offset..<offset + ActivityFormat.slotByteCount))
  }

  /// All slots, nil for those that hold nothing whole.
  func slots() -> [ActivitySlot?] {
    Self.slots(in: bytes(ActivityFormat.headerByteCount..<ActivityFormat.fileByteCount))
  }

  static func slots(in bytes: ArraySlice<UInt8>) -> [ActivitySlot?] {
    (0..<ActivityFormat.slotCount).map { index in
      let start = bytes.startIndex + index * ActivityFormat.slotByteCount
      let end = start + ActivityFormat.slotByteCount
      return end <= bytes.endIndex ? .decode(bytes[start..<end]) : nil
    }
  }

  /// False where it could not be written: the disk may be full.
  func write(_ header: ActivityHeader) -> Bool { write(header.encoded(), at: 0) }

  func write(_ slot: ActivitySlot, at index: Int) -> Bool {
    write(slot.encoded(), at: ActivityFormat.slotOffset(index))
  }

  /// Empties a file of which nothing can be kept.
  func clear() -> Bool { ftruncate(descriptor, 0) == 0 }

  private func write(_ bytes: [UInt8], at offset: Int) -> Bool {
    bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset)) } == bytes.count
  }
}

extension StoreActivity {
  private static let readingAttemptLimit = 8

  /// What the file beside a store's data tells; nil where there is none, or only another store's, a damaged or a newer
  /// kvpager's. Takes no lock.
  package static func read(directory: String) -> StoreActivity? {
    guard let inode = ActivityFile.dataInode(in: directory) else { return nil }
    var last: StoreActivity?
    for _ in 0..<readingAttemptLimit {
      guard let file = ActivityFile.reading(in: directory) else { return nil }
      let bytes = file.bytes(0..<ActivityFormat.fileByteCount)
      let headerBytes = bytes.prefix(ActivityFormat.headerByteCount)
      // Read while it was written: seen whole the next time.
      guard case .header(let header) = ActivityHeader.decode(headerBytes) else { continue }
      guard header.store.inode == inode else { return nil }
      last = StoreActivity(header, ActivityFile.slots(in: bytes.dropFirst(ActivityFormat.headerByteCount)))
      // An opening that ended meanwhile could be missing from both parts, or counted in both.
      if file.header() == .header(header) { break }
    }
    return last
  }

  private init(_ header: ActivityHeader, _ slots: [ActivitySlot?]) {
    sinceMicroseconds = header.sinceMicroseconds
    endedCount = header.endedCount
    total = header.counters
    processes = []
    let held = zip(slots, header.settledClaims).compactMap { slot, settled in
      slot.flatMap { $0.claim > settled ? $0 : nil }
    }
    for slot in held.sorted(by: { $0.claim < $1.claim }) {
      total = total + slot.counters
      processes.append(
        Process(
          processID: slot.identity.processID, name: slot.name, startedMicroseconds: slot.startedMicroseconds,
          updatedMicroseconds: slot.updatedMicroseconds, isAlive: slot.identity.isAlive, isReadOnly: slot.isReadOnly,
          quotaBytes: slot.quotaBytes == 0 ? nil : slot.quotaBytes, usage: slot.usage, counters: slot.counters))
    }
  }
}
