/* Search where the site is opened as files: browsers give such a page no Worker, so that the search
   runs in a hidden frame that answers like one. Elsewhere nothing changes. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const answers = `search-answer-${address}`;
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = `<script>
        window.postMessage = (data) =>
          parent.dispatchEvent(new parent.MessageEvent(${JSON.stringify(answers)}, {data}));
      <\/script><script src="${address}"><\/script>`;
      this.ready = new Promise((done) => (this.frame.onload = done));
      addEventListener(answers, ({ data }) => this.dispatchEvent(new MessageEvent("message", { data })));
      document.body.append(this.frame);
    }
    postMessage(data) {
      this.ready.then(() => {
        const inside = this.frame.contentWindow;
        inside.dispatchEvent(new inside.MessageEvent("message", { data }));
      });
    }
    terminate() {
      this.frame.remove();
    }
  };
}
