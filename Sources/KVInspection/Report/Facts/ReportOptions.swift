/// How much a report shows. Whatever it leaves out is summed up, and said on the page.
package struct ReportOptions: Sendable {
  package static let depthLimit = 64
  /// Lines of the table of sessions that a page still opens at once with.
  package static let sessionLimitLimit = 2000
  /// Sessions of the matrix at most: as many as can be told apart.
  package static let matrixLimit = 32
  /// Boxes of the prefix tree at most.
  package static let treeNodeLimit = 900
  package static let treeWidth = 24
  /// Frames of a space whose headers are read, to learn how well each plane compresses.
  package static let frameSampleLimit = 2048
  /// Findings of `verify` that are told one by one.
  package static let findingLimit = 20

  /// Levels of the prefix tree below a space.
  package var depth: Int
  /// Sessions of the table, those that take most.
  package var sessionLimit: Int
  /// Now, in microseconds since 1970: what ages are counted from.
  package var nowMicroseconds: UInt64
  /// Version of the program that makes the report.
  package var programVersion: String

  package init(depth: Int = 12, sessionLimit: Int = 100, nowMicroseconds: UInt64, programVersion: String) {
    self.depth = depth
    self.sessionLimit = sessionLimit
    self.nowMicroseconds = nowMicroseconds
    self.programVersion = programVersion
  }
}
