/// How much of the store `statistics` reads.
package enum StatisticsDetail: Hashable, Sendable {
  /// Records alone: no figures by layer, plane kind and element type.
  case records
  /// Records, and of the frames' headers at most about this many: a larger store's figures are scaled from an even
  /// sample.
  case sampled(frameLimit: Int)
  /// Records and every frame's header.
  case exact

  /// A header lies in a page of its own, anywhere in the file: so many take a second on a slow disk.
  package static let standard = StatisticsDetail.sampled(frameLimit: 8192)
}
