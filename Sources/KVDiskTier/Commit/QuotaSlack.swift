/// How many pages a quota leaves free for the file to stay at its size: pages that one transaction frees are used again
/// by the second one after it, so what the last two batches deleted still waits while the next is written.
struct QuotaSlack: Sendable {
  private var peakPageCount = 0

  /// Notes a batch that took `pageCount` pages, for frames and for tree pages that it copied; large ones are forgotten
  /// slowly.
  mutating func note(pageCount: Int) {
    peakPageCount = max(pageCount, peakPageCount - (peakPageCount + 7) / 8)
  }

  /// At most an eighth of the quota: what cannot fit is let to grow the file instead.
  func pageCount(quotaPageCount: Int) -> Int { min(2 * peakPageCount, quotaPageCount / 8) }
}
