import KVInspection
import KVPager

/// A column of the listing of sessions.
enum SessionColumn: Hashable, Sendable {
  enum Fact: String, CaseIterable, Sendable {
    case name, space, tokens, blocks, size, own, shared, stored, disk, frees, checkpoint, used, updated, created,
      expires, revision
  }

  case fact(Fact)
  /// One of the sessions' own names, written `metadata.NAME`.
  case metadata(String)

  static let standard: [SessionColumn] = [.name, .tokens, .size, .own, .shared, .used, .expires].map { .fact($0) }

  /// "name,tokens,metadata.title". Nil where one of them is none.
  static func list(_ text: String) -> [SessionColumn]? {
    var columns: [SessionColumn] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      if let fact = Fact(rawValue: String(part)) {
        columns.append(.fact(fact))
      } else if part.hasPrefix("metadata."), part.count > 9 {
        columns.append(.metadata(String(part.dropFirst(9))))
      } else {
        return nil
      }
    }
    return columns.isEmpty ? nil : columns
  }

  var title: String {
    switch self {
    case .fact(.used): "LAST USED"
    case .fact(let fact): fact.rawValue.uppercased()
    case .metadata(let name): Answer.printable(name).uppercased()
    }
  }

  var alignment: TextTable.Alignment {
    switch self {
    case .fact(.name), .fact(.updated), .fact(.created), .fact(.expires), .metadata: .left
    case .fact: .right
    }
  }

  func text(_ session: SessionFacts, _ moment: Moment) -> String {
    switch self {
    case .metadata(let name): Answer.printable(session.metadata[name] ?? "-")
    case .fact(let fact): Self.text(fact, session, moment)
    }
  }

  private static func text(_ fact: Fact, _ session: SessionFacts, _ moment: Moment) -> String {
    switch fact {
    case .name:
      Answer.printable(session.name) + (session.missingBlockCount > 0 ? Ink.output.bad(" (not whole)") : "")
    case .space: session.space.description
    case .tokens: Decimal.grouped(session.tokenCount)
    case .blocks: Decimal.grouped(session.blockCount)
    case .size: ByteSize(session.logicalByteCount).description
    case .own: ByteSize(session.uniqueByteCount).description
    case .shared: ByteSize(session.sharedByteCount).description
    case .stored: ByteSize(session.compressedByteCount).description
    case .disk: ByteSize(session.diskByteCount).description
    case .frees: ByteSize(session.ownDiskByteCount).description
    case .checkpoint: session.checkpointByteCount == 0 ? "-" : ByteSize(session.checkpointByteCount).description
    case .used: moment.past(session.lastUseMicroseconds)
    case .updated: Timestamp(microseconds: session.updatedMicroseconds).local
    case .created: Timestamp(microseconds: session.createdMicroseconds).local
    case .expires: moment.expiry(session.expiresMicroseconds)
    case .revision: String(session.revision)
    }
  }
}
