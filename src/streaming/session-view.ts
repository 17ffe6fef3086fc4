/** What the supervisor may ask of a session's browser. The pool registers one for each session; the supervisor imports nothing above it. */
export interface SessionView {
  /** Address and title of each open page, the active one first. */
  pages(): Promise<readonly { readonly pageId: string; readonly url: string; readonly title: string }[]>
  /** A picture of the active page. */
  screenshot(params: { readonly format: 'png' | 'jpeg'; readonly quality?: number; readonly signal?: AbortSignal }): Promise<Buffer>
}
