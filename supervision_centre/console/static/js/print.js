/** The printing of a page that is made to be printed: a button, for those who look for one. */

const button = document.createElement("button");
button.type = "button";
button.className = "print";
button.textContent = "Imprimer";
button.addEventListener("click", () => window.print());
document.body.prepend(button);
