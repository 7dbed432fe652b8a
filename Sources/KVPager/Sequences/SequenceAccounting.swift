/// What sequences in flight take, in tokens; counted, never estimated.
public struct SequenceAccounting: Hashable, Sendable {
  /// Sequences whose rows are in RAM, and those that were preempted.
  public var runningCount = 0
  public var preemptedCount = 0
  /// Tokens of the running sequences, each counted for every sequence that has it.
  public var sequenceTokenCount = 0
  /// Frames that they hold; one that several share counts once.
  public var frameCount = 0
  /// Rows that those frames have room for.
  public var reservedTokenCount = 0
  /// Rows of those frames that hold a token.
  public var usedTokenCount = 0

  public init() {}

  /// Rows that hold nothing: the rest of each sequence's last block.
  public var wastedTokenCount: Int { reservedTokenCount - usedTokenCount }
  /// Rows that sharing saves.
  public var sharedTokenCount: Int { sequenceTokenCount - usedTokenCount }
}

/// Which frames are held, and how often.
struct SequenceLedger {
  private struct Held {
    var holders: Int
    var rowCount: Int
  }

  private let blockTokenCount: Int
  private var blocks: [BlockKey: Held] = [:]
  private var tails: [ObjectIdentifier: Held] = [:]
  private(set) var accounting = SequenceAccounting()

  init(blockTokenCount: Int) { self.blockTokenCount = blockTokenCount }

  mutating func count(running: Int = 0, preempted: Int = 0, tokens: Int = 0) {
    accounting.runningCount += running
    accounting.preemptedCount += preempted
    accounting.sequenceTokenCount += tokens
  }

  mutating func hold(_ key: BlockKey, rowCount: Int) { blocks[key] = held(blocks[key], rowCount) }
  mutating func hold(_ tail: TailFrame) {
    tails[ObjectIdentifier(tail)] = held(tails[ObjectIdentifier(tail)], tail.rowCount)
  }

  /// One holder more.
  private mutating func held(_ held: Held?, _ rowCount: Int) -> Held {
    if var held {
      held.holders += 1
      return held
    }
    accounting.frameCount += 1
    accounting.reservedTokenCount += blockTokenCount
    accounting.usedTokenCount += rowCount
    return Held(holders: 1, rowCount: rowCount)
  }

  mutating func release(_ key: BlockKey) {
    guard var held = blocks.removeValue(forKey: key) else { preconditionFailure("a block that nobody holds") }
    if release(&held) { blocks[key] = held }
  }

  mutating func release(_ tail: TailFrame) {
    guard var held = tails.removeValue(forKey: ObjectIdentifier(tail)) else {
      preconditionFailure("a tail that nobody holds")
    }
    if release(&held) { tails[ObjectIdentifier(tail)] = held }
  }

  /// Whether others hold it still.
  private mutating func release(_ held: inout Held) -> Bool {
    held.holders -= 1
    guard held.holders == 0 else { return true }
    accounting.frameCount -= 1
    accounting.reservedTokenCount -= blockTokenCount
    accounting.usedTokenCount -= held.rowCount
    return false
  }

  func isShared(_ tail: TailFrame) -> Bool { (tails[ObjectIdentifier(tail)]?.holders ?? 0) > 1 }

  /// A tail that one sequence alone holds got `count` rows more.
  mutating func grow(_ tail: TailFrame, by count: Int) {
    tails[ObjectIdentifier(tail)]?.rowCount += count
    accounting.usedTokenCount += count
  }
}
